// Connects the commands `orion up` and `orion core` to a running mesh: says what is ready and what to do next, and ends it in order on Ctrl-C.
import { type Command, InvalidArgumentError, Option } from "commander";
import pc from "picocolors";
import { OrionError, sayFault } from "../../contracts/errors.ts";
import type { Level } from "../../core/policy.ts";
import { dataFolder } from "../roles/data-folder.ts";
import { DEFAULT_JOIN_PORT, DEFAULT_MQTTS_PORT } from "../roles/listen.ts";
import type { RunningMesh, UpOptions } from "../roles/up.ts";
import { VERSION } from "../roles/version.ts";

interface Flags {
	readonly data?: string;
	readonly json?: boolean;
	readonly mqttPort?: number;
	readonly httpPort?: number;
	readonly listen?: string;
	readonly mqttsPort?: number;
	readonly joinPort?: number;
	readonly level?: Level;
	readonly config?: string;
	readonly redis?: string;
	readonly acceptLoss?: boolean;
	readonly verbose?: boolean;
	readonly robot?: string;
	readonly robotModel?: "fnk0052" | "fnk0031";
	/** False after --no-broker. */
	readonly broker?: boolean;
}

/** `up` is core with the agent of this host. */
type Verb = "up" | "core";

const LEVEL_SAYS: Readonly<Record<Level, string>> = {
	N0: "observes and says what it would do; executes nothing",
	N2: "runs SAFE actions by itself",
	N3: "runs SAFE actions by itself; RISKY ones need a person",
};

export const parsePort = (text: string): number => {
	const port = Number(text);
	if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError("a port is 0 to 65535 (0 = any free port).");
	return port;
};

const EXAMPLES = `
Examples:
  orion up                              broker, core and this host as first node, on loopback, at N0
  orion up --config orion.yaml          with the services of that file supervised
  orion up --listen 192.168.1.10        so that other machines can join, with TLS
  orion up --level N2                   SAFE repairs run by themselves
  orion up --robot twin                 with a simulated hexapod: then orion robot view
  orion up --redis redis://127.0.0.1:6379    every record also in Redis, for other programs
  orion up --data /tmp/try --mqtt-port 0 --http-port 0 --json
`;

const CORE_EXAMPLES = `
Core apart: log, engine, HTTP and page, and a broker unless --no-broker. This host is
no node of it by itself: its agent joins like that of any other machine.

Examples:
  orion core --listen 192.168.1.10      nodes join with TLS; then there: orion agent
  orion core --redis redis://127.0.0.1:6379 --no-broker    brokers run apart: orion broker
  orion core --data /var/lib/orion-core --json
`;

const startCommand = (program: Command, verb: Verb, description: string): Command =>
	program
		.command(verb)
		.description(description)
		.option("--mqtt-port <n>", "port of the MQTT broker (default 1883, 0 = any free one)", parsePort)
		.option("--http-port <n>", "port of the HTTP API on loopback (default 7070, 0 = any free one)", parsePort)
		.option("--listen <address>", "also listen there for other machines, with TLS and certificates; 0.0.0.0 for all addresses (default: nowhere)")
		.option("--mqtts-port <n>", "port for nodes at that address (default 8883, 0 = any free one)", parsePort)
		.option("--join-port <n>", "port for devices that join with a token (default 8884, 0 = any free one)", parsePort)
		.addOption(new Option("--level <level>", "autonomy level from now on (default: as it was; N0 on a fresh mesh)").choices(["N0", "N2", "N3"]))
		.option("--config <file>", "configuration (default: orion.yaml here, else in the data folder)")
		.addOption(new Option("--redis <url>", "a Redis that gets a copy of every record: redis[s]://[user:password@]host[:port]").env("ORION_REDIS"))
		.option("--accept-loss", "start although the log is damaged, and record what is lost")
		.action(async (_flags: unknown, command: Command) => {
			await up(command.optsWithGlobals<Flags>(), verb);
		});

export const register = (program: Command): void => {
	startCommand(program, "up", "start the mesh on this host and stay with it; Ctrl-C stops it")
		.option("--robot <driver>", "a robot at this host: twin (simulated); serial:PORT or guard:SOCKET once it was rehearsed (orion robot calibrate)")
		.addOption(new Option("--robot-model <model>", "which robot it is").choices(["fnk0052", "fnk0031"]).default("fnk0052"))
		.option("--verbose", "also show what the agent of this host says")
		.addHelpText("after", EXAMPLES);
	startCommand(program, "core", "core apart: everything that `orion up` starts but the agent of this host; Ctrl-C stops it")
		.option("--no-broker", "no broker in this process: nodes connect to brokers elsewhere, which reach core through Redis")
		.addHelpText("after", CORE_EXAMPLES);
};

const lineOf =
	(verb: Verb) =>
	(event: string, facts: Readonly<Record<string, unknown>>): void => {
		process.stdout.write(`${JSON.stringify({ schema: `orion.${verb}/1`, event, ...facts })}\n`);
	};

const sayReady = (mesh: RunningMesh, ms: number, verb: Verb): void => {
	const example =
		mesh.config.file === undefined && verb === "up"
			? '\nTo have it watch and repair a service, write an orion.yaml here (README: "A service that dies") and start again.\n'
			: "";
	const mqtt = mesh.mqtt === "" ? "none here; what brokers elsewhere hold comes through Redis" : mesh.mqtt;
	const next =
		verb === "up"
			? `  ${pc.cyan("npx orion status")}                                this host and what is going on\n` +
				`  ${pc.cyan('npx orion alert try "hello" --severity warning')}  raise an alert, then: npx orion incidents\n`
			: `  ${pc.cyan("npx orion node add NAME")}                         what lets a machine in, this one too\n` +
				`  ${pc.cyan("npx orion status")}                                what is going on\n`;
	process.stdout.write(
		`${pc.bold(`ready in ${(ms / 1_000).toFixed(1)} s`)}  level ${pc.bold(mesh.level)}: ${LEVEL_SAYS[mesh.level]}\n` +
			`  MQTT   ${mqtt}\n  HTTP   ${mesh.http}\n  token  ${mesh.tokenFile}\n` +
			`\nNext, in another terminal:\n${next}  ${pc.cyan("npx orion logs -f")}                               everything as it happens\n${example}\n` +
			"Ctrl-C stops it; starting again goes on where it was.\n",
	);
};

/** A failure that must not be survived: says why and leaves at once, because what is on disk is no longer known. */
const onFatal = (error: unknown): never => {
	process.stderr.write(
		`orion: ${error instanceof Error ? (error instanceof OrionError ? sayFault(error.fault) : (error.stack ?? error.message)) : String(error)}\n`,
	);
	process.exit(70);
};

/** The first signal stops in order, a second one leaves at once. */
export const untilStopped = (): Promise<"SIGINT" | "SIGTERM" | "SIGHUP"> =>
	new Promise((resolve) => {
		// A terminal that closes hangs up on whoever runs in it: that is a wish to end. Without a terminal the same signal asks for the policies to be read again.
		const signals = process.stdin.isTTY === true ? (["SIGINT", "SIGTERM", "SIGHUP"] as const) : (["SIGINT", "SIGTERM"] as const);
		if (process.stdin.isTTY === true) for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
		for (const signal of signals) {
			process.once(signal, () => {
				resolve(signal);
				process.on(signal, () => process.exit(130));
			});
		}
	});

const optionsOf = (flags: Flags, verb: Verb): Omit<UpOptions, "onPart" | "onBeacon"> => ({
	data: dataFolder(flags.data),
	acceptLoss: flags.acceptLoss === true,
	agent: verb === "up",
	broker: flags.broker !== false,
	...(flags.mqttPort === undefined ? {} : { mqttPort: flags.mqttPort }),
	...(flags.httpPort === undefined ? {} : { httpPort: flags.httpPort }),
	...(flags.listen === undefined
		? {}
		: { listen: { address: flags.listen, mqttsPort: flags.mqttsPort ?? DEFAULT_MQTTS_PORT, joinPort: flags.joinPort ?? DEFAULT_JOIN_PORT } }),
	...(flags.level === undefined ? {} : { level: flags.level }),
	...(flags.config === undefined ? {} : { config: flags.config }),
	...(flags.robot === undefined ? {} : { robot: { driver: flags.robot, model: flags.robotModel ?? "fnk0052" } }),
	...(flags.redis === undefined || flags.redis === "" ? {} : { redis: flags.redis }),
	onAgentLine: (said) => {
		if (flags.verbose === true) process.stderr.write(`agent: ${said}\n`);
	},
	onFatal,
});

const reloadOnHangUp = (mesh: RunningMesh): void => {
	process.on("SIGHUP", () => {
		void mesh.reloadPolicy().then((fault) => {
			process.stderr.write(fault === undefined ? "orion: policies were read again\n" : `orion: the policies on disk were not taken over: ${sayFault(fault)}\n`);
		});
	});
};

const up = async (flags: Flags, verb: Verb): Promise<void> => {
	const beganMs = performance.now();
	const json = flags.json === true;
	const line = lineOf(verb);
	if (flags.broker === false && flags.listen !== undefined)
		throw new OrionError("USAGE", { detail: "--listen is where the broker listens: not with --no-broker" });
	const { startMesh } = await import("../roles/up.ts");
	if (!json) process.stdout.write(`${pc.bold("orion")} ${VERSION}\n`);
	const stopped = untilStopped();
	const { openSupervisor } = await import("../roles/supervisor.ts");
	const supervisor = openSupervisor(process.env, (detail) => process.stderr.write(`orion: the supervisor of this service cannot be told: ${detail}\n`));
	const mesh = await startMesh({
		...optionsOf(flags, verb),
		onBeacon: () => supervisor.turned(),
		onPart: ({ part, detail, ms }) => {
			if (json) line("part", { part, detail, ms });
			else process.stdout.write(`  ${pc.green("OK")} ${part.padEnd(8)}${detail} ${pc.dim(`(${ms} ms)`)}\n`);
		},
	});
	supervisor.ready();
	const ms = Math.round(performance.now() - beganMs);
	if (json)
		line("ready", {
			...(mesh.mqtt === "" ? {} : { mqtt: mesh.mqtt }),
			http: mesh.http,
			tokenFile: mesh.tokenFile,
			ms,
			mesh: mesh.mesh,
			level: mesh.level,
			...(verb === "up" ? { node: mesh.node } : {}),
		});
	else sayReady(mesh, ms, verb);
	if (process.stdin.isTTY !== true) reloadOnHangUp(mesh);
	const signal = await stopped;
	supervisor.stopping();
	if (!json) process.stdout.write("\nstopping ...\n");
	await mesh.stop();
	if (json) line("stopped", { signal });
	else process.stdout.write("stopped; nothing was left running\n");
	process.exit(0);
};
