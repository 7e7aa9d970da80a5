// Shows that killing the mesh with SIGKILL at any moment changes nothing: LOSS-1, LOSS-4, HARM-3, TELL-1, RUN-2.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type MqttClient } from "mqtt";
import { ROOT, TestMesh, until } from "../support/mesh.ts";
import { seeded } from "../support/random.ts";

export interface KillCounts {
	readonly rounds: number;
	readonly meshKills: number;
	readonly agentKills: number;
	readonly serviceKills: number;
	readonly serviceStarts: number;
	readonly acknowledged: number;
	readonly missing: number;
	readonly twice: number;
	readonly actionsRequested: number;
	readonly actionsDoneTwice: number;
	readonly records: number;
	readonly replayExit: number | null;
	/** Neither beside the running mesh nor after its end was anything but 0. */
	readonly auditExit: number | null;
}

/** Appends its pid to a file at each start: what counts how often it really was started. */
const SERVICE = `require("fs").appendFileSync(process.argv[1], process.pid + "\\n"); setInterval(() => {}, 1000);`;

const prepare = async (): Promise<TestMesh> => {
	const mesh = await TestMesh.make();
	const starts = join(mesh.folder, "starts");
	writeFileSync(starts, "");
	const command = JSON.stringify([process.execPath, "-e", SERVICE, starts]);
	writeFileSync(join(mesh.folder, "orion.yaml"), `node: chaos\npolicies: policies\nprocesses:\n  web:\n    command: ${command}\n`);
	// The same policy with shorter waits and a larger budget: a hundred repairs in minutes is the point here.
	cpSync(join(ROOT, "policies"), join(mesh.folder, "policies"), { recursive: true });
	const file = join(mesh.folder, "policies/actions.yaml");
	const text = readFileSync(file, "utf8");
	writeFileSync(
		file,
		text.replaceAll("clearFor: 3s", "clearFor: 400ms").replaceAll("cooldown: 5s", "cooldown: 100ms").replaceAll("budgetPerHour: 30", "budgetPerHour: 1000"),
	);
	return mesh;
};

const startsOf = (mesh: TestMesh): readonly number[] => readFileSync(join(mesh.folder, "starts"), "utf8").split("\n").filter(Boolean).map(Number);

const isAlive = (pid: number): boolean => {
	try {
		return process.kill(pid, 0) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
	} catch {
		return false;
	}
};

const kill = (pid: number): void => {
	try {
		process.kill(pid, "SIGKILL");
	} catch {
		// It was gone already.
	}
};

interface Load {
	readonly acknowledged: string[];
	stop(): Promise<void>;
}

/** Publishes alerts all the time, through every kill, and notes which were acknowledged. */
const startLoad = async (mesh: TestMesh): Promise<Load> => {
	const added = await mesh.ask<{ username: string; password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node: "load" }) });
	const options = {
		clientId: "load.chaos",
		username: added.username,
		password: added.password,
		reconnectPeriod: 50,
		reconnectOnConnackError: true,
		protocolVersion: 4 as const,
	};
	const client: MqttClient = connect(`mqtt://127.0.0.1:${mesh.mqttPort}`, options);
	client.on("error", () => undefined);
	const acknowledged: string[] = [];
	let number = 0;
	let running = true;
	const one = (): void => {
		if (!running) return;
		number += 1;
		const id = `load-${number}`;
		const data = { name: `load-${number % 20}`, severity: "info", summary: `message ${number}` };
		client.publish(
			"orion/v1/load/evt/alert",
			JSON.stringify({ specversion: "1.0", id, source: "/nodes/load", type: "dev.orion.alert.firing.v1", data }),
			{ qos: 1 },
			(error) => {
				if (error === undefined || error === null) acknowledged.push(id);
			},
		);
		setTimeout(one, 5);
	};
	one();
	return {
		acknowledged,
		stop: async () => {
			running = false;
			await client.endAsync(true);
		},
	};
};

/** No repair under way and the service there: only then the next kill of the service is a new one. */
const calm = async (mesh: TestMesh): Promise<number> =>
	until(
		"the service runs and no repair is under way",
		async () => {
			const { incidents } = await mesh.ask<{ incidents: readonly { rule: string; status: string }[] }>("/state/incidents?status=open&limit=200");
			const pid = startsOf(mesh).at(-1);
			const busy = incidents.some((incident) => incident.rule === "service-down");
			return pid !== undefined && isAlive(pid) && !busy ? pid : undefined;
		},
		60_000,
	);

const agentPid = (mesh: TestMesh): number | undefined => {
	if (mesh.pid === undefined) return undefined;
	const children = readFileSync(`/proc/${mesh.pid}/task/${mesh.pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
	return children[0];
};

const oneRound = async (mesh: TestMesh, random: () => number, counts: { mesh: number; agent: number; service: number }): Promise<void> => {
	const pid = await calm(mesh);
	if (random() < 0.7) {
		kill(pid);
		counts.service += 1;
	}
	// Somewhere between seeing it and having verified the repair.
	const delayMs = Math.floor(random() * 900);
	await new Promise<void>((resolve) => {
		setTimeout(resolve, delayMs);
	});
	const agent = agentPid(mesh);
	const which = random();
	if (agent !== undefined && which < 0.5) {
		kill(agent);
		counts.agent += 1;
	}
	if (which > 0.2) {
		await mesh.kill();
		counts.mesh += 1;
		await mesh.start();
	}
};

const verdict = async (mesh: TestMesh, acknowledged: readonly string[]) => {
	const records = await mesh.records();
	const seen = new Map<string, number>();
	const done = new Map<string, Set<string>>();
	let actionsRequested = 0;
	for (const { envelope } of records) {
		if (envelope.source === "/nodes/load") seen.set(envelope.id, (seen.get(envelope.id) ?? 0) + 1);
		if (envelope.type === "dev.orion.action.requested.v1") actionsRequested += 1;
		if (envelope.type === "dev.orion.action.receipt.v1" && envelope.data.phase === "accepted" && envelope.data.repeat !== true) {
			const sessions = done.get(envelope.data.command) ?? new Set();
			done.set(envelope.data.command, sessions.add(`${envelope.session} ${envelope.seq}`));
		}
	}
	return {
		missing: acknowledged.filter((id) => !seen.has(id)).length,
		twice: [...seen.values()].filter((count) => count > 1).length,
		actionsRequested,
		actionsDoneTwice: [...done.values()].filter((sessions) => sessions.size > 1).length,
		records: records.length,
	};
};

export const runKillRounds = async (options: { readonly rounds: number; readonly seed: number; readonly say: (line: string) => void }): Promise<KillCounts> => {
	const random = seeded(options.seed);
	const mesh = await prepare();
	try {
		await mesh.start(["--level", "N2"]);
		await until("the service has started", () => startsOf(mesh)[0]);
		const load = await startLoad(mesh);
		const counts = { mesh: 0, agent: 0, service: 0 };
		for (let round = 1; round <= options.rounds; round++) {
			await oneRound(mesh, random, counts);
			options.say(
				`round ${round} of ${options.rounds}: ${counts.service} service, ${counts.agent} agent, ${counts.mesh} mesh kills; ${load.acknowledged.length} events acknowledged`,
			);
		}
		await calm(mesh);
		await load.stop();
		const found = await verdict(mesh, load.acknowledged);
		const { code } = await mesh.orion("replay", "--json");
		const last = startsOf(mesh).at(-1);
		const running = (await mesh.orion("audit", "verify", "--json")).code;
		const serviceStarts = startsOf(mesh).length;
		await mesh.stop();
		// Held against the log byte for byte, once nobody writes to it.
		const stopped = (await mesh.orion("audit", "verify", "--json")).code;
		const exit = { serviceStarts, replayExit: code, auditExit: running === 0 ? stopped : running };
		if (last !== undefined) kill(last);
		return {
			rounds: options.rounds,
			meshKills: counts.mesh,
			agentKills: counts.agent,
			serviceKills: counts.service,
			acknowledged: load.acknowledged.length,
			...found,
			...exit,
		};
	} catch (error) {
		for (const pid of startsOf(mesh)) if (isAlive(pid)) kill(pid);
		throw error;
	} finally {
		await mesh.remove();
	}
};

export const isClean = (counts: KillCounts): boolean =>
	counts.missing === 0 &&
	counts.twice === 0 &&
	counts.actionsDoneTwice === 0 &&
	counts.replayExit === 0 &&
	counts.auditExit === 0 &&
	counts.serviceStarts === counts.serviceKills + 1 &&
	counts.acknowledged > 0;
