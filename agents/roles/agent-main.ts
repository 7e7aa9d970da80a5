// The agent as a process: reads its folder, starts, says what happens as JSON lines on stdout, and ends when it is told to or its parent is gone.
import { chmod, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ERRORS, OrionError } from "../../contracts/errors.ts";
import type { ConfigNode } from "../../contracts/gen/types.ts";
import { parseDuration } from "../../contracts/time.ts";
import { CertificateWatch } from "../../edge/certificate-watch.ts";
import { type MqttTls, mqttConnect } from "../../edge/mqtt.ts";
import type { Connect, KeptFiles, NodeClock, Note } from "../../edge/ports.ts";
import type { StopDesk } from "../../edge/stop-desk.ts";
import { openStopSocket } from "../../edge/stop-socket.ts";
import { openFirmata } from "../../firmware-bridge/drivers/firmata-board.ts";
import { firmataPort } from "../../firmware-bridge/drivers/serial-line.ts";
import { nodeFiles } from "../../log/node-files.ts";
import { openSegments } from "../../log/segments.ts";
import type { StopReason } from "../capabilities/capability.ts";
import { dockerRuntime } from "../capabilities/docker.ts";
import { gadgetsCapability } from "../capabilities/gadgets.ts";
import { hexapodCapability } from "../capabilities/hexapod.ts";
import { hostCapability } from "../capabilities/host.ts";
import { processCapability, readBootId } from "../capabilities/process.ts";
import { systemdRuntime } from "../capabilities/systemd.ts";
import { watchedCapability } from "../capabilities/watched.ts";
import { AgentLine } from "../robot/agent-line.ts";
import { ROBOT_SOCKET } from "./actuator.ts";
import { type Agent, startAgent } from "./agent.ts";
import { hostTimers } from "./host-clock.ts";
import { keptFiles, readText } from "./kept-files.ts";
import { heldCertificate, readCertificate } from "./node-certificate.ts";
import { nodeClock, nodeRandomness } from "./node-clock.ts";
import { parseNodeConfig } from "./node-config.ts";
import { openSupervisor } from "./supervisor.ts";
import { VERSION } from "./version.ts";

const CONFIG_FILE = "node.json";
const STOP_SOCKET = "stop.sock";
const HOST_EVERY_MS = 5_000;
const WATCH = { everyMs: 2_000, upWithinMs: 45_000 };
const DOCKER_SOCKET = "/var/run/docker.sock";
const OUTBOX_BYTES_MAX = 64 * 1_024 * 1_024;
/** Small, so that what is done with can go in small pieces. */
const SEGMENT_BYTES_MAX = 1_024 * 1_024;
/** An agent that is just dying still has the folder. */
const OWNED_WITHIN_MS = 3_000;
const OWNED_RETRY_MS = 100;
/** An end in order that takes longer is no end. */
const STOP_WITHIN_MS = 15_000;

const note: Note = (event, facts = {}) => {
	process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
};

const fatal = (error: unknown): never => {
	const code = error instanceof OrionError ? error.fault.code : undefined;
	const detail = error instanceof Error ? error.message : String(error);
	process.stderr.write(`${JSON.stringify({ event: "failed", ...(code === undefined ? {} : { code }), detail })}\n`);
	process.exit(code === undefined ? 1 : ERRORS[code].exit);
};

/** A node keeps no history: core has it. */
const removeAll = async (folder: string): Promise<void> => {
	for (const name of await readdir(folder)) await rm(join(folder, name), { force: true });
};

const openLog = async (folder: string, name: string, mesh: string) => {
	const path = join(folder, name);
	const deadlineMs = performance.now() + OWNED_WITHIN_MS;
	for (;;) {
		try {
			const log = await openSegments({ files: nodeFiles(), folder: path, mesh, keyOf: () => undefined, onFatal: fatal, segmentBytesMax: SEGMENT_BYTES_MAX });
			return { log, sweep: () => removeAll(join(path, "archive")) };
		} catch (error) {
			const owned = error instanceof OrionError && error.fault.code === "FOLDER_OWNED";
			if (!owned || performance.now() >= deadlineMs) throw error;
			await new Promise((again) => setTimeout(again, OWNED_RETRY_MS));
		}
	}
};

/** A node without its socket is still stopped by the mesh: it says so and goes on. */
const stopSocket = async (path: string, desk: StopDesk): Promise<{ close(): Promise<void> }> => {
	try {
		const socket = await openStopSocket({ path, desk, clear: () => rm(path, { force: true }) });
		await chmod(path, 0o600);
		return socket;
	} catch (error) {
		note("stop-socket-failed", { path, detail: error instanceof Error ? error.message : "unknown" });
		return { close: () => Promise.resolve() };
	}
};

interface Line {
	readonly connect: Connect;
	readonly certificate?: CertificateWatch;
}

/** The way to the broker; over TLS with a certificate that renews itself. */
const openLine = async (folder: string, config: ConfigNode, files: KeptFiles, clock: NodeClock): Promise<Line> => {
	const { tls } = await readCertificate(folder, config.url);
	if (tls === undefined) return { connect: mqttConnect(config) };
	let current: MqttTls = tls;
	const renew = async () => {
		// Only now: what makes requests for certificates costs memory, and is needed once in two years.
		const { renewCertificate } = await import("./renew.ts");
		const held = await renewCertificate(folder);
		current = (await readCertificate(folder, config.url)).tls ?? current;
		return held;
	};
	const held = heldCertificate(tls.certificatePem);
	const certificate = await CertificateWatch.open({ node: config.node, held, files, clock, timers: hostTimers(), note, renew });
	return { certificate, connect: certificate.over(mqttConnect({ ...config, tls: () => current })) };
};

const start = async ({ state: folder, robot: hasRobot }: Flags, onTurn: () => void): Promise<Agent> => {
	const file = join(folder, CONFIG_FILE);
	const config = parseNodeConfig(file, await readText(file));
	const files = await keptFiles(folder);
	const random = nodeRandomness();
	const clock = nodeClock();
	const { processes = {}, host = {}, systemd, docker, gadgets } = config;
	const everyMs = host.every === undefined ? HOST_EVERY_MS : (parseDuration(host.every) ?? HOST_EVERY_MS);
	const hexapod = hexapodCapability();
	return startAgent({
		config,
		version: VERSION,
		files,
		openLog: (name) => openLog(folder, name, config.mesh),
		...(await openLine(folder, config, files, clock)),
		clock,
		timers: hostTimers(),
		random,
		capabilities: [
			hostCapability({ everyMs, root: "/" }),
			processCapability({ processes, folder, files, bootId: readBootId(), newMark: () => random.hex(16) }),
			...(systemd === undefined
				? []
				: [watchedCapability({ ...WATCH, runtime: systemdRuntime({ user: systemd.user ?? false, program: "systemctl" }), services: systemd.units })]),
			...(hasRobot ? [hexapod] : []),
			...(gadgets === undefined ? [] : [gadgetsCapability({ config: gadgets, open: (ends) => openFirmata(() => firmataPort(gadgets.port), ends) })]),
			...(docker === undefined
				? []
				: [watchedCapability({ ...WATCH, runtime: dockerRuntime({ socket: docker.socket ?? DOCKER_SOCKET }), services: docker.containers })]),
		],
		note,
		outboxBytesMax: OUTBOX_BYTES_MAX,
		...(hasRobot
			? {
					openRobot: (context) =>
						new AgentLine({ ...context, path: join(folder, ROBOT_SOCKET), timers: hostTimers(), nowMs: () => performance.now(), note, onState: hexapod.hear }),
				}
			: {}),
		openStopSocket: (desk) => stopSocket(join(folder, STOP_SOCKET), desk),
		onTurn,
	});
};

interface Flags {
	readonly state: string;
	readonly withParent: boolean;
	/** An actuator answers in the same folder. */
	readonly robot: boolean;
}

const readFlags = (): Flags => {
	try {
		const { values } = parseArgs({
			options: { state: { type: "string" }, "with-parent": { type: "boolean", default: false }, robot: { type: "boolean", default: false } },
		});
		if (values.state === undefined) throw new OrionError("USAGE", { detail: "agent --state DIR [--with-parent] [--robot]" });
		return { state: resolve(values.state), withParent: values["with-parent"], robot: values.robot };
	} catch (error) {
		throw error instanceof OrionError ? error : new OrionError("USAGE", { detail: error instanceof Error ? error.message : "unreadable flags" });
	}
};

const main = async (): Promise<void> => {
	const flags = readFlags();
	const supervisor = openSupervisor(process.env, (detail) => note("supervisor-not-told", { detail }));
	let starting: Promise<Agent> | undefined;
	let ending = false;
	const end = (reason: StopReason): void => {
		if (ending) return;
		ending = true;
		note("stopping", { reason });
		supervisor.stopping();
		setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
		(starting ?? Promise.resolve(undefined))
			.then((agent) => agent?.stop(reason))
			.then(() => {
				note("stopped", { reason });
				process.exit(0);
			}, fatal);
	};
	// Whoever read the lines may be gone before this process is.
	process.stdout.on("error", () => undefined);
	process.stderr.on("error", () => undefined);
	process.on("SIGTERM", () => end("agent-stop"));
	process.on("SIGINT", () => end("agent-stop"));
	process.on("unhandledRejection", fatal);
	process.on("uncaughtException", fatal);
	if (flags.withParent) {
		process.stdin.on("end", () => end("agent-leave"));
		process.stdin.on("error", () => end("agent-leave"));
		process.stdin.resume();
	}
	starting = start(flags, () => supervisor.turned());
	await starting;
	supervisor.ready();
	note("started", { pid: process.pid });
};

main().catch(fatal);
