// Shows the agent as the process that is shipped: bundled, started, killed, started twice, without its parent, with a bad folder (RUN-2, RUN-3, RUN-60, LOSS-8, LOSS-10).
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { observe } from "../../agents/capabilities/process-table.ts";
import { POLICY } from "../edge/world.ts";
import { removeFolder } from "../support/remove-folder.ts";
import { Mesh, PASSWORD } from "./mesh.ts";
import { until } from "./process-rig.ts";

let program: string;
let programFolder: string;
let folder: string;
let mesh: Mesh;
let children: ChildProcess[];

beforeAll(async () => {
	programFolder = await mkdtemp(join(tmpdir(), "orion-agent-program-"));
	program = join(programFolder, "agent.mjs");
	await build({
		entryPoints: [fileURLToPath(new URL("../../agents/roles/agent-main.ts", import.meta.url))],
		bundle: true,
		format: "esm",
		platform: "node",
		target: "node20",
		outfile: program,
		// As it is shipped: who has gadgets installs them.
		external: ["firmata-io", "johnny-five"],
		logLevel: "error",
		banner: { js: "import { createRequire as orionCreateRequire } from 'node:module'; const require = orionCreateRequire(import.meta.url);" },
	});
});
afterAll(() => removeFolder(programFolder));

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "orion-agent-"));
	mesh = await new Mesh().open();
	children = [];
});
afterEach(async () => {
	for (const child of children) {
		if (child.exitCode !== null || child.signalCode !== null) continue;
		const gone = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await gone;
	}
	// Each is the leader of its own group, and has this test's folder in its command line.
	for (const pid of await ofThisFolder()) process.kill(-pid, "SIGKILL");
	await mesh.close();
	removeFolder(folder);
});

const configure = (change: object = {}): Promise<void> => {
	const { keyId, publicKey } = mesh.signer;
	const processes = { web: { command: ["sh", "-c", "while :; do sleep 1000; done", folder] } };
	const config = {
		schema: "orion.node-config/1",
		mesh: "mesh-1",
		node: "pi-1",
		url: mesh.url,
		username: "pi-1",
		password: PASSWORD,
		coreKeys: [{ keyId, publicKey }],
		processes,
	};
	return writeFile(join(folder, "node.json"), JSON.stringify({ ...config, host: { every: "500ms" }, ...change }));
};

const start = (flags: readonly string[] = ["--state", folder], nodeFlags: readonly string[] = []) => {
	const child = spawn(process.execPath, [...nodeFlags, program, ...flags], { stdio: ["pipe", "pipe", "pipe"] });
	children.push(child);
	let out = "";
	let errors = "";
	child.stdout.on("data", (chunk: Buffer) => {
		out += chunk.toString();
	});
	child.stderr.on("data", (chunk: Buffer) => {
		errors += chunk.toString();
	});
	const ended = new Promise<number | NodeJS.Signals | null>((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
	const events = (): readonly ({ readonly event: string } & Readonly<Record<string, unknown>>)[] =>
		out
			.split("\n")
			.slice(0, -1)
			.map((line) => JSON.parse(line) as { readonly event: string } & Readonly<Record<string, unknown>>);
	const said = async (event: string): Promise<boolean> => {
		try {
			return await until(event, () => events().some((line) => line.event === event));
		} catch (cause) {
			throw new Error(`it never said ${event}; it said:\n${out}${errors}`, { cause });
		}
	};
	return { child, ended, events, said, errors: () => errors };
};

/** Every process that runs now as this folder's service. */
const ofThisFolder = async (): Promise<readonly number[]> => {
	const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
	const found = await Promise.all(
		pids.map(async (pid) => {
			const command = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
			return command[0] === "sh" && command.includes(folder) && observe(pid)?.ended === false;
		}),
	);
	return pids.filter((_, index) => found[index]);
};
const running = async (): Promise<number> => (await ofThisFolder()).length;

describe("started and ended", () => {
	test("ready, measuring, obeying; SIGTERM ends its services and itself in order, exit 0", async () => {
		await configure();
		mesh.speak();
		const agent = start();
		await agent.said("ready");
		await until("a measurement", () => mesh.live.some(({ topic }) => topic === "orion/v1/pi-1/tlm/host.metrics"));
		expect((await mesh.send(mesh.command())) === "delivered").toBe(true);
		await until("done", () => mesh.of("dev.orion.action.receipt.v1").some(({ data }) => data.phase === "done"));
		expect(await running()).toBe(1);
		agent.child.kill("SIGTERM");
		expect(await agent.ended).toBe(0);
		expect(await running()).toBe(0);
		expect(mesh.of("dev.orion.process.stopped.v1").map(({ data }) => data.why)).toEqual(["agent-stop"]);
		expect(mesh.states().at(-1)).toBe("disconnected 1");
		expect(mesh.quarantined).toEqual([]);
		expect(agent.errors()).toBe("");
	});

	test("RUN-60: gadgets without their packages: it is ready all the same, and the mesh hears which line installs them", async () => {
		await configure({ gadgets: { port: "/dev/ttyACM0", buttons: { door: { pin: "D2" } } } });
		mesh.speak();
		const agent = start();
		await agent.said("ready");
		await until("the button is away", () => mesh.of("dev.orion.gadget.changed.v1").length > 0);
		const [door] = mesh.of("dev.orion.gadget.changed.v1");
		expect(door?.data).toMatchObject({ gadget: "door", kind: "button", state: "away" });
		expect(door?.data.detail).toContain("npm install --omit=optional --ignore-scripts firmata-io@2.3.0 johnny-five@2.1.0");
		expect(mesh.quarantined).toEqual([]);
		agent.child.kill("SIGTERM");
		expect(await agent.ended).toBe(0);
	});

	test("its parent is gone: it goes, its service stays and is adopted by the next one", async () => {
		await configure();
		mesh.speak();
		const first = start(["--state", folder, "--with-parent"]);
		await first.said("ready");
		first.child.stdin.end();
		expect(await first.ended).toBe(0);
		expect(await running()).toBe(1);
		const second = start();
		await second.said("ready");
		await until("the adoption", () => mesh.of("dev.orion.process.up.v1").some(({ data }) => data.how === "adopted"));
		expect(await running()).toBe(1);
	});

	test("RUN-2: killed again and again at any moment, the service is started once, and nothing that was said is missing in the numbering", async () => {
		await configure();
		mesh.speak();
		for (const afterMs of [30, 90, 150, 200, 260, 330, 450, 600]) {
			const agent = start();
			await new Promise((resolve) => setTimeout(resolve, afterMs));
			agent.child.kill("SIGKILL");
			await agent.ended;
			expect(await running()).toBeLessThanOrEqual(1);
		}
		const last = start();
		await last.said("ready");
		await last.said("started");
		// An agent that is killed just as it starts its service may leave none: then the next one says so, and starts nothing by itself.
		const states = await until("its state", () => {
			const said = mesh.heard.map(({ envelope }) => envelope).filter(({ type }) => /^dev\.orion\.process\.(up|down)\./.test(type));
			return said.length > 0 && said;
		});
		const isUp = states.at(-1)?.type === "dev.orion.process.up.v1";
		const ups = mesh.of("dev.orion.process.up.v1");
		expect(await running()).toBe(isUp ? 1 : 0);
		expect(new Set(ups.map(({ data }) => data.pid)).size).toBeLessThanOrEqual(1);
		expect(Math.max(0, ...ups.map(({ data }) => data.starts))).toBeLessThanOrEqual(1);
		last.child.kill("SIGTERM");
		await last.ended;
		const bySession = new Map<string, number[]>();
		for (const { envelope } of mesh.heard) {
			if (envelope.lane !== "event" || envelope.session === undefined || envelope.seq === undefined) continue;
			bySession.set(envelope.session, [...(bySession.get(envelope.session) ?? []), envelope.seq]);
		}
		for (const seqs of bySession.values()) {
			const each = [...new Set(seqs)].sort((a, b) => a - b);
			expect(each).toEqual(each.map((_, index) => index + 1));
		}
	});
});

/** As a board without a battery for its clock starts: it counts from 1970. */
const CLOCK_OF_1970 = `const Real = Date;
const now = () => Math.floor(performance.now());
globalThis.Date = class extends Real {
	constructor(...given) {
		if (given.length === 0) super(now());
		else super(...given);
	}
	static now() {
		return now();
	}
};
`;

describe("nobody there", () => {
	test("HARM-106: no network, no broker, a clock of 1970, and the policy that it kept: it is alone, repairs what it may as often as it may, and goes on", async () => {
		await configure({ url: "mqtt://127.0.0.1:1" });
		const { signer } = mesh;
		const row = { id: "restart", on: "dev.orion.process.down.v1", action: "process.restart", with: { service: "{service}" }, says: "again" };
		const grant = { node: "pi-1", number: 1, counter: 1, reconciled: 0, validMs: 604_800_000, left: { restart: 1 }, counted: {} };
		const coreTerm = { counter: 3, keyId: signer.keyId };
		const bundle = { v: 1, mesh: "mesh-1", coreTerm, version: 7, policyHash: POLICY, level: "N2", rows: [row], grants: [grant] };
		await writeFile(join(folder, "bundle.json"), signer.sign("orion-policy+jws", bundle));
		await writeFile(join(folder, "clock.mjs"), CLOCK_OF_1970);
		const agent = start(["--state", folder], ["--import", join(folder, "clock.mjs")]);
		const noted = (event: string, facts: object) =>
			until(`${event} ${JSON.stringify(facts)}`, () =>
				agent.events().some((line) => line.event === event && Object.entries(facts).every(([name, value]) => line[name] === value)),
			);
		await noted("safety", { safety: "alone" });
		const first = await until("its service", async () => (await ofThisFolder())[0]);
		process.kill(-first, "SIGKILL");
		await noted("alone-acted", { row: "restart", outcome: "done" });
		const second = await until("its service again", async () => (await ofThisFolder()).find((pid) => pid !== first));
		process.kill(-second, "SIGKILL");
		await noted("alone-refuses", { row: "restart", reason: "spent" });
		expect(await running()).toBe(0);
		const counted = async () => JSON.parse(await readFile(join(folder, "allowance.json"), "utf8")) as Record<string, unknown>;
		await until("the refusal is counted", async () => (await counted())["refused"] === 1);
		expect(await counted()).toMatchObject({ grant: 1, used: { restart: 1 }, acted: 1 });
		// Peers that are missing never end it, and neither does the clock.
		expect([agent.child.exitCode, agent.child.signalCode, agent.errors()]).toEqual([null, null, ""]);
	});
});

describe("what cannot be", () => {
	test("a second agent on the same folder waits a little and is refused by name; the first goes on", async () => {
		await configure();
		mesh.speak();
		const first = start();
		await first.said("ready");
		const second = start();
		expect(await second.ended).toBe(1);
		expect(second.errors()).toContain("FOLDER_OWNED");
		expect(first.child.exitCode).toBeNull();
		expect(await running()).toBe(1);
	});

	test("one that comes while the one before is ending takes over", async () => {
		await configure();
		mesh.speak();
		const first = start();
		await first.said("ready");
		first.child.kill("SIGTERM");
		const second = start();
		expect(await first.ended).toBe(0);
		await second.said("ready");
	});

	test.each<[string, readonly string[], object | string | undefined, RegExp]>([
		["no flags", [], {}, /USAGE/],
		["an unknown flag", ["--state", "/tmp", "--fast"], {}, /USAGE/],
		["no node.json", ["--state", "@"], undefined, /CONFIG_INVALID.*no such file/],
		["no JSON", ["--state", "@"], "{", /CONFIG_INVALID.*not JSON/],
		["an unknown key", ["--state", "@"], { nodes: 1 }, /CONFIG_INVALID.*\/nodes/],
		[
			"one pin for two gadgets",
			["--state", "@"],
			{ gadgets: { port: "/dev/ttyACM0", buttons: { door: { pin: "D2" } }, lamps: { desk: { pin: "D2" } } } },
			/CONFIG_INVALID.*\/gadgets\/lamps\/desk D2 is that of buttons.door too/,
		],
		["a key of core that is another one", ["--state", "@"], { coreKeys: [{ keyId: "0".repeat(16), publicKey: "A".repeat(43) }] }, /CONFIG_INVALID.*another id/],
	])("%s: exit 2, and what to do", async (_, flags, config, text) => {
		if (typeof config === "string") await writeFile(join(folder, "node.json"), config);
		else if (config !== undefined) await configure(config);
		const agent = start(flags.map((flag) => (flag === "@" ? folder : flag)));
		expect(await agent.ended).toBe(2);
		expect(agent.errors()).toMatch(text);
	});
});
