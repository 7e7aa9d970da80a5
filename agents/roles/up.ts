// Composition root of `orion up` and `orion core`: log, core, broker and HTTP in this process, the agent of this host in its own, or none. Chooses adapters, decides nothing.
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type Broker, openBroker } from "../../broker/broker.ts";
import { type Fault, OrionError } from "../../contracts/errors.ts";
import type { Level } from "../../core/policy.ts";
import { type BrokerLink, type Core, openCore } from "../../core/service/core.ts";
import { openHttp } from "../../core/service/http.ts";
import type { LoadedPolicy } from "../../core/service/policies.ts";
import type { World } from "../../core/service/world.ts";
import { mightWalkHere } from "./actuator.ts";
import { type AgentProcess, startAgentProcess } from "./agent-process.ts";
import { openAudit } from "./audit.ts";
import { Elsewhere } from "./brokers.ts";
import { builtInFolder, type FoundConfig, findConfig, readPolicies } from "./config.ts";
import { openCoreLog } from "./core-log.ts";
import { openDataFolder, openToken, removeRunFile, writeRunFile } from "./data-folder.ts";
import { hostClock, hostTimers } from "./host-clock.ts";
import { hostFacts } from "./host-facts.ts";
import { judgeAgain } from "./judge-again.ts";
import { keptFiles, writeKept } from "./kept-files.ts";
import type { Listen } from "./listen.ts";
import { type MeshDoor, openMeshDoor, shownAddress } from "./mesh-door.ts";
import { type OpenRegister, openNodeRegister } from "./node-register.ts";
import { readPage } from "./page-files.ts";
import { openMirror, redisOf } from "./redis.ts";
import { type OpenChat, openTelegram } from "./telegram.ts";
import { COMMIT, VERSION } from "./version.ts";

export interface UpOptions {
	readonly data: string;
	readonly mqttPort?: number;
	readonly httpPort?: number;
	/** For other machines; absent: there is only loopback. */
	readonly listen?: Listen;
	readonly level?: Level;
	readonly config?: string;
	/** Address of a Redis; more than what orion.yaml says. */
	readonly redis?: string;
	readonly acceptLoss: boolean;
	/** False: core apart; this host is watched only by an agent that joined. */
	readonly agent: boolean;
	/** False: no node connects here; what brokers elsewhere hold comes through Redis. */
	readonly broker: boolean;
	/** `twin`, and the model of the robot; any other driver only where real legs were rehearsed. */
	readonly robot?: { readonly driver: string; readonly model: string };
	/** Each part as it is ready, and what the agent says. */
	readonly onPart: (part: { readonly part: string; readonly detail: string; readonly ms: number }) => void;
	readonly onAgentLine: (line: string) => void;
	/** Core gave its sign of life to the mesh. */
	readonly onBeacon: () => void;
	readonly onFatal: (error: unknown) => void;
}

export interface RunningMesh {
	readonly mesh: string;
	readonly level: Level;
	/** Empty where no broker runs here. */
	readonly mqtt: string;
	readonly http: string;
	readonly tokenFile: string;
	readonly config: FoundConfig;
	readonly node: string;
	reloadPolicy(): Promise<Fault | undefined>;
	stop(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";
const DEFAULT_MQTT_PORT = 1883;
const DEFAULT_HTTP_PORT = 7070;
const AGENT_READY_WITHIN_MS = 4_000;

const policyOf = (model: string): string => join(builtInFolder(), "robots", `${model}.yaml`);

/** The host's name as a node id: lower case, what does not fit becomes a hyphen. */
const nodeNameOf = (host: string): string =>
	host
		.toLowerCase()
		.split(".")[0]
		?.replaceAll(/[^a-z0-9-]/g, "-")
		.replaceAll(/^-+|-+$/g, "")
		.slice(0, 32) || "this-host";

const required = <T>(result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault }): T => {
	if (result.ok) return result.value;
	throw new OrionError(result.fault.code, result.fault.facts);
};

/** What was opened so far, closed in reverse, so that a start that fails half-way leaves nothing behind. */
class Opened {
	readonly #closers: (() => Promise<void> | void)[] = [];
	add(close: () => Promise<void> | void): void {
		this.#closers.push(close);
	}
	async close(): Promise<void> {
		for (const close of this.#closers.splice(0).reverse()) await close();
	}
}

const linkTo = (broker: Broker, mesh: string) => ({
	judge: judgeAgain(mesh),
	publish: broker.publish,
	deliver: broker.deliver,
	drop: broker.drop,
	connected: (node: string) => broker.connections().some(({ identity }) => identity.node === node && identity.kind === "node"),
});

/** Core without a broker of its own: nobody is here, everybody is elsewhere. */
const linkToNobody = (mesh: string): BrokerLink => ({
	judge: judgeAgain(mesh),
	publish: () => Promise.resolve(),
	deliver: () => Promise.resolve("nobody"),
	drop: () => Promise.resolve(),
	connected: () => false,
});

/** The agent of this host is a node like any other; its credential is made anew at each start and lies only in its own folder. */
const prepareAgent = async (
	folder: string,
	node: string,
	mesh: string,
	url: string,
	core: Core,
	register: OpenRegister,
	config: FoundConfig,
): Promise<void> => {
	await keptFiles(folder);
	const { processes = {}, host = {}, systemd, docker, gadgets } = config.value;
	const coreKeys = [{ keyId: core.key.keyId, publicKey: core.key.publicKey }];
	const password = await register.renew(node);
	const text = JSON.stringify(
		{ schema: "orion.node-config/1", mesh, node, url, username: node, password, coreKeys, processes, host, systemd, docker, gadgets },
		null,
		"\t",
	);
	await writeKept(folder, "node.json", `${text}\n`, 0o600);
};

export const startMesh = async (options: UpOptions): Promise<RunningMesh> => {
	const opened = new Opened();
	try {
		return await open(options, opened);
	} catch (error) {
		await opened.close();
		throw error;
	}
};

/** Says each part as it is ready, with how long it took. */
const stopwatch = (onPart: UpOptions["onPart"]): ((part: string, detail: string) => void) => {
	let beganMs = performance.now();
	return (part, detail) => {
		const nowMs = performance.now();
		onPart({ part, detail, ms: Math.round(nowMs - beganMs) });
		beganMs = nowMs;
	};
};

interface Start {
	readonly options: UpOptions;
	readonly opened: Opened;
	readonly say: (part: string, detail: string) => void;
	readonly config: FoundConfig;
	readonly mesh: string;
	readonly node: string;
	readonly instance: string;
	readonly world: World;
	readonly register: OpenRegister;
	readonly door: MeshDoor | undefined;
}

interface Inside {
	readonly core: Core;
	/** Brokers on other machines, if there are any. */
	readonly elsewhere: Elsewhere | undefined;
}

const openInside = async ({ options, opened, say, config, mesh, node, instance, world, register }: Start, policy: LoadedPolicy): Promise<Inside> => {
	const { data, acceptLoss, onFatal, level } = options;
	const log = await openCoreLog({ data, mesh, acceptLoss, onFatal });
	opened.add(() => log.close());
	say("log", `${log.head()} records in ${join(data, "log")}`);
	const readPolicy = () => rereadPolicies(options);
	const asked = level === undefined ? {} : { level };
	const audit = await openAudit({ data, mesh, log, kept: world.files });
	const core = await openCore({
		log,
		audit,
		mesh,
		code: VERSION,
		commit: COMMIT,
		data,
		host: node,
		instance,
		policy,
		readPolicy,
		register,
		world,
		disk: { folder: join(data, "log"), facts: () => hostFacts().disk(join(data, "log")) },
		losses: log.losses,
		onBeacon: options.onBeacon,
		...asked,
	});
	opened.add(() => core.close());
	say("core", `${mesh}, ${core.desk.state().level}, policy ${policy.hash.slice(7, 15)}`);
	const redis = await redisOf(options.redis, config);
	if (redis === undefined) return { core, elsewhere: undefined };
	const mirror = await openMirror({ redis, config, log, mesh, world, core });
	opened.add(() => mirror.stop());
	const { url, state, lag } = mirror.view();
	say("redis", `${url}, ${state === "mirroring" ? `${lag} records behind` : "cannot be reached now; it gets everything when it is back"}`);
	const brokers = config.value.redis?.brokers ?? [];
	return { core, elsewhere: brokers.length === 0 ? undefined : new Elsewhere({ redis, brokers, mesh, log, core, register, world }) };
};

interface Doors {
	readonly mqtt: string;
	readonly http: string;
	readonly tokenFile: string;
}

const openToOthers = async (door: MeshDoor, { options, opened, say, mesh }: Pick<Start, "options" | "opened" | "say" | "mesh">, core: Core, broker: Broker) => {
	const address = options.listen?.address ?? "";
	const mqttPort = broker.securePort ?? 0;
	const open = await door.open({ mesh, mqttPort, coreKeys: [{ keyId: core.key.keyId, publicKey: core.key.publicKey }] });
	opened.add(() => open.close());
	say("listen", `nodes at mqtts://${shownAddress(address, mqttPort)}, orion join at ${shownAddress(address, open.joinPort)}`);
};

const openLocalBroker = async (start: Start, { core, elsewhere }: Inside): Promise<Broker | undefined> => {
	const { options, opened, say, config, mesh, instance, register, door } = start;
	if (!options.broker) return undefined;
	const host = config.value.mqtt?.host ?? LOOPBACK;
	const limits = config.value.mqtt?.limits === undefined ? {} : { limits: config.value.mqtt.limits };
	const broker = await openBroker({
		mesh,
		host,
		port: options.mqttPort ?? config.value.mqtt?.port ?? DEFAULT_MQTT_PORT,
		credentials: register,
		intake: core.intake,
		instance,
		onRefusal: core.refused,
		onStop: (verb, target, by, bytes) => {
			elsewhere?.relay(verb, target, bytes);
			core.stopped(verb, target, by, bytes);
		},
		...(door === undefined ? {} : { secure: door.secure }),
		...limits,
	});
	opened.add(() => broker.close());
	say("broker", brokerUrl(start, broker));
	if (door !== undefined) await openToOthers(door, start, core, broker);
	return broker;
};

const brokerUrl = ({ config }: Start, broker: Broker): string => `mqtt://${config.value.mqtt?.host ?? LOOPBACK}:${broker.port}`;

const openDoors = async (start: Start, inside: Inside): Promise<Doors> => {
	const { options, opened, say, config, mesh, world } = start;
	const { core, elsewhere } = inside;
	const broker = await openLocalBroker(start, inside);
	const mqtt = broker === undefined ? "" : brokerUrl(start, broker);
	const { token, file: tokenFile } = await openToken(options.data);
	const httpPort = options.httpPort ?? config.value.http?.port ?? DEFAULT_HTTP_PORT;
	const page = await readPage();
	const gauges = { mqttClients: () => broker?.connections().length ?? 0, residentBytes: () => process.memoryUsage.rss() };
	let chat: OpenChat | undefined;
	const shown = page === undefined ? {} : { page };
	const http = await openHttp({ desk: core.desk, token, host: LOOPBACK, port: httpPort, clock: world.clock, gauges, chat: () => chat, ...shown });
	opened.add(() => http.close());
	const httpUrl = `http://${LOOPBACK}:${http.port}`;
	say("http", httpUrl);
	const link = broker === undefined ? linkToNobody(mesh) : linkTo(broker, mesh);
	if (elsewhere !== undefined) {
		elsewhere.start(broker);
		opened.add(() => elsewhere.stop());
	}
	await core.connect(elsewhere?.link(link) ?? link, { mqtt, http: () => httpUrl });
	const { telegram } = config.value;
	if (telegram !== undefined) {
		const opening = await openTelegram(core, world, telegram, resolve(config.file === undefined ? "." : dirname(config.file), telegram.tokenFile));
		chat = opening;
		opened.add(() => opening.close());
		say("telegram", `asks ${telegram.admins?.length ?? 0} named admins and those who were invited`);
	}
	await writeRunFile(options.data, { pid: process.pid, mqtt, http: httpUrl, tokenFile });
	opened.add(() => removeRunFile(options.data));
	return { mqtt, http: httpUrl, tokenFile };
};

const openAgent = async ({ options, opened, say, config, mesh, node, register }: Start, core: Core, mqtt: string): Promise<void> => {
	const folder = join(options.data, "agent");
	await prepareAgent(folder, node, mesh, mqtt, core, register, config);
	const { robot } = options;
	if (robot !== undefined) {
		const args = ["--driver", robot.driver, "--policy", policyOf(robot.model)];
		const actuator = startAgentProcess({ folder, onLine: options.onAgentLine, program: "actuator", args });
		opened.add(() => actuator.stop());
		const isReady = await actuator.ready(AGENT_READY_WITHIN_MS);
		say("robot", `${robot.model} on ${robot.driver}${robot.driver === "twin" ? ", simulated" : ""}${isReady ? "" : ", still starting"}`);
	}
	const agent: AgentProcess = startAgentProcess({ folder, onLine: options.onAgentLine, args: robot === undefined ? [] : ["--robot"] });
	opened.add(() => agent.stop());
	const ready = await agent.ready(AGENT_READY_WITHIN_MS);
	const services = Object.keys(config.value.processes ?? {});
	say("agent", `${node}${services.length === 0 ? "" : `, supervises ${services.join(", ")}`}${ready ? "" : ", still starting"}`);
};

const open = async (options: UpOptions, opened: Opened): Promise<RunningMesh> => {
	const { data } = options;
	const say = stopwatch(options.onPart);
	// Before anything is opened: what was never rehearsed on a block does not move on a floor.
	if (options.robot !== undefined && options.robot.driver !== "twin" && !(await mightWalkHere(join(data, "agent"), policyOf(options.robot.model))))
		throw new OrionError("ROBOT_NOT_REHEARSED", { driver: options.robot.driver.slice(0, 128) });
	const config = required(await findConfig(options.config, data));
	const policy = required(await readPolicies(config));
	say("config", config.file ?? "no orion.yaml: nothing is supervised yet");
	const { mesh } = await openDataFolder(data);
	const clock = hostClock();
	const world: World = { clock, timers: hostTimers(), files: await keptFiles(join(data, "core")), fatal: options.onFatal };
	const passwords = await openNodeRegister(await keptFiles(data), clock);
	const door = options.listen === undefined ? undefined : await openMeshDoor(options.listen, mesh, await keptFiles(data), passwords, clock);
	const register = door?.register ?? passwords;
	const node = config.value.node ?? nodeNameOf(hostname());
	const start: Start = { options, opened, say, config, mesh, node, instance: randomBytes(8).toString("hex"), world, register, door };
	const inside = await openInside(start, policy);
	if (!options.broker && inside.elsewhere === undefined)
		throw new OrionError("USAGE", {
			detail: "without a broker here no node could reach core: name a Redis with --redis and the brokers elsewhere in orion.yaml (redis.brokers)",
		});
	const { core } = inside;
	const doors = await openDoors(start, inside);
	if (options.agent) await openAgent(start, core, doors.mqtt);
	return {
		...doors,
		mesh,
		level: core.desk.state().level,
		config,
		node,
		reloadPolicy: async () => {
			const reloaded = await core.desk.reloadPolicy("signal");
			return reloaded.ok ? undefined : reloaded.fault;
		},
		stop: () => opened.close(),
	};
};

const rereadPolicies = async (options: UpOptions) => {
	const config = await findConfig(options.config, options.data);
	return config.ok ? readPolicies(config.value) : config;
};
