// Shows with real processes under a notify socket that core, broker, agent and actuator say when they are ready and when they end, and that their signs of life cease when they are frozen or blocked (HARM-116).
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keyIdOf } from "../../core/service/keys.ts";
import { ROOT, until } from "../support/mesh.ts";
import { NotifySocket } from "../support/notify.ts";
import { removeFolder } from "../support/remove-folder.ts";

const WATCHDOG_MS = 750;
/** Many processes are started, on a machine that may be busy. */
const TEST_WITHIN_MS = 600_000;
/** So many signs of one that lives are time enough for one that is frozen to have given its own. */
const SIGNS = 9;
/** And so many until what was on its way when it was frozen has arrived and was read. */
const SETTLING_SIGNS = 2;
/** One may still wait in the relay, and one be read late. */
const SIGNS_ON_THEIR_WAY = 2;
/** Blocks whatever it is loaded into, for ever, at this signal, and leaves a file that says so. */
const BLOCK = 'data:text/javascript,import{writeFileSync}from"node:fs";process.on("SIGUSR2",()=>{writeFileSync(process.env.BLOCKED_FILE,"");for(;;);})';

interface Service {
	readonly name: string;
	readonly socket: NotifySocket;
	readonly child: ChildProcess;
	/** There as soon as its loop is blocked. */
	readonly blockedFile: string;
	readonly said: string[];
}

let folder = "";
let services: Service[] = [];
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "orion-supervised-"));
	services = [];
});
afterEach(async () => {
	for (const { child, socket } of services) {
		if (child.exitCode === null && child.signalCode === null) {
			const exited = once(child, "exit");
			child.kill("SIGKILL");
			await exited;
		}
		await socket.close();
	}
	removeFolder(folder);
});

const start = async (name: string, args: readonly string[]): Promise<Service> => {
	const socket = await NotifySocket.open();
	const blockedFile = join(folder, `${name}.blocked`);
	const env = { ...socket.environment(WATCHDOG_MS), BLOCKED_FILE: blockedFile };
	const child = spawn(process.execPath, ["--import", BLOCK, ...args], { env, stdio: ["ignore", "ignore", "pipe"] });
	const service: Service = { name, socket, child, blockedFile, said: [] };
	child.stderr.on("data", (chunk: Buffer) => service.said.push(chunk.toString()));
	services.push(service);
	return service;
};

/** The command line of a unit, with its state in the test's folder and `more` for what stands in its settings. */
const unit = (role: string, name: string, more: readonly string[] = []): Promise<Service> => {
	const text = readFileSync(join(ROOT, `deploy/systemd/orion-${role}.service`), "utf8");
	const [program, ...words] = (text.match(/^ExecStart=(.*)$/m)?.[1] ?? "").split(" ").flatMap((word) => (word === "$ORION_ARGS" ? more : [word]));
	expect(program).toBe("@NODE@");
	const home = ROOT.replace(/\/$/, "");
	return start(
		name,
		words.map((word) =>
			word
				.replaceAll("@HOME@", home)
				.replaceAll("@MODEL@", "fnk0052")
				.replace(/^\/var\/lib\/orion-\w+$/, join(folder, name)),
		),
	);
};

const actuator = (name: string): Promise<Service> => unit("actuator", name);

/** A node whose broker is away, as after a boot without a network. */
const agent = (name: string): Promise<Service> => {
	const state = join(folder, name);
	mkdirSync(state);
	const publicKey = Buffer.alloc(32, 1).toString("base64url");
	const coreKeys = [{ keyId: keyIdOf(publicKey), publicKey }];
	const node = {
		schema: "orion.node-config/1",
		mesh: "mesh-0123456789ab",
		node: name,
		url: "mqtt://127.0.0.1:1",
		username: name,
		password: "x".repeat(43),
		coreKeys,
	};
	writeFileSync(join(state, "node.json"), JSON.stringify(node));
	return unit("agent", name);
};

const core = (name: string): Promise<Service> => unit("core", name, ["--mqtt-port", "0", "--http-port", "0"]);

/** Core and its Redis are away: a broker is there for its nodes nevertheless. */
const broker = (name: string): Promise<Service> =>
	unit("broker", name, ["--core", "redis://127.0.0.1:1", "--name", "attic", "--mesh", "mesh-0123456789ab", "--mqtt-port", "0"]);

const alive = async ({ name, socket, child, said }: Service, signs: number): Promise<void> => {
	const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
	await until(`${name} gives ${signs} signs of life`, () => (socket.signs >= signs || hasEnded() ? true : undefined), 60_000);
	if (hasEnded()) throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}: ${said.join("")}`);
};

const isFrozen = ({ child }: Service): true | undefined => (/\) [Tt] /.test(readFileSync(`/proc/${child.pid}/stat`, "utf8")) ? true : undefined);

/** Whatever was on its way is given time, then many signs of one that lives: none of these give any. */
const areSilent = async (frozen: readonly Service[], reference: Service): Promise<void> => {
	await alive(reference, reference.socket.signs + SETTLING_SIGNS);
	const before = frozen.map(({ socket }) => socket.signs);
	await alive(reference, reference.socket.signs + SIGNS);
	frozen.forEach(({ name, socket, child }, at) => {
		const given = socket.signs - (before[at] ?? 0);
		expect({ name, silent: given <= SIGNS_ON_THEIR_WAY, code: child.exitCode }).toEqual({ name, silent: true, code: null });
	});
};

test(
	"HARM-116 ready, signs of life, none while frozen, again when it goes on, and the end is said",
	async () => {
		const all = [await core("core"), await broker("broker"), await agent("agent"), await actuator("actuator")];
		const reference = await actuator("reference");
		for (const service of [...all, reference]) {
			await alive(service, 2);
			expect(service.socket.words[0]).toBe("READY=1");
		}
		for (const { child } of all) child.kill("SIGSTOP");
		for (const service of all) await until(`${service.name} is frozen`, () => isFrozen(service));
		await areSilent(all, reference);
		for (const { child } of all) child.kill("SIGCONT");
		for (const service of all) await alive(service, service.socket.signs + SIGNS_ON_THEIR_WAY + 1);
		for (const { name, child, socket } of all) {
			const exited = once(child, "exit");
			child.kill("SIGTERM");
			expect({ name, code: (await exited)[0] }).toEqual({ name, code: 0 });
			await until(`${name} said that it ends`, () => (socket.words.at(-1) === "STOPPING=1" ? true : undefined));
		}
	},
	TEST_WITHIN_MS,
);

test(
	"HARM-116 a blocked loop gives no sign although its process lives",
	async () => {
		const all = [await core("core"), await broker("broker"), await agent("agent"), await actuator("actuator")];
		const reference = await actuator("reference");
		for (const service of [...all, reference]) await alive(service, 1);
		// One after the other: four that turn for ever would leave a small machine no time.
		for (const service of all) {
			service.child.kill("SIGUSR2");
			await until(`${service.name} is blocked`, () => (existsSync(service.blockedFile) ? true : undefined));
			await areSilent([service], reference);
			const exited = once(service.child, "exit");
			service.child.kill("SIGKILL");
			await exited;
		}
	},
	TEST_WITHIN_MS,
);
