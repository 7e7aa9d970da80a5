// Composition root of `orion up`: log, core, broker and HTTP in this process, the agent of this host in its own. Chooses adapters, decides nothing.
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Broker, openBroker } from "../../broker/broker.ts";
import { type Fault, OrionError } from "../../contracts/errors.ts";
import type { Level } from "../../core/policy.ts";
import { type Core, openCore } from "../../core/service/core.ts";
import { openHttp } from "../../core/service/http.ts";
import { gapOfRecord, identityOf, keyOfRecord } from "../../core/service/journal.ts";
import type { World } from "../../core/service/world.ts";
import { nodeFiles } from "../../log/node-files.ts";
import { openSegments } from "../../log/segments.ts";
import { type AgentProcess, startAgentProcess } from "./agent-process.ts";
import { type FoundConfig, findConfig, readPolicies } from "./config.ts";
import { openDataFolder, openToken, removeRunFile, writeRunFile } from "./data-folder.ts";
import { hostClock, hostTimers } from "./host-clock.ts";
import { keptFiles, writeKept } from "./kept-files.ts";
import { type OpenRegister, openNodeRegister } from "./node-register.ts";
import { VERSION } from "./version.ts";

export interface UpOptions {
	readonly data: string;
	readonly mqttPort?: number;
	readonly httpPort?: number;
	readonly level?: Level;
	readonly config?: string;
	readonly acceptLoss: boolean;
	/** Each part as it is ready, and what the agent says. */
	readonly onPart: (part: { readonly part: string; readonly detail: string; readonly ms: number }) => void;
	readonly onAgentLine: (line: string) => void;
	readonly onFatal: (error: unknown) => void;
}

export interface RunningMesh {
	readonly mesh: string;
	readonly level: Level;
	readonly mqtt: string;
	readonly http: string;
	readonly tokenFile: string;
	readonly config: FoundConfig;
	readonly node: string;
	readonly agentReady: boolean;
	reloadPolicy(): Promise<Fault | undefined>;
	stop(): Promise<void>;
}

const DEFAULT_MQTT_PORT = 1883;
const DEFAULT_HTTP_PORT = 7070;
const AGENT_READY_WITHIN_MS = 4_000;

/** The host's name as a node id: lower case, what does not fit becomes a hyphen. */
export const nodeNameOf = (host: string): string =>
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

const linkTo = (broker: Broker) => ({
	publish: broker.publish,
	deliver: broker.deliver,
	drop: broker.drop,
	connected: (node: string) => broker.connections().some(({ identity }) => identity.node === node && identity.kind === "node"),
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
	const { processes = {}, host = {} } = config.value;
	const coreKeys = [{ keyId: core.key.keyId, publicKey: core.key.publicKey }];
	const password = await register.renew(node);
	const text = JSON.stringify({ schema: "orion.node-config/1", mesh, node, url, username: node, password, coreKeys, processes, host }, null, "\t");
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

const open = async (options: UpOptions, opened: Opened): Promise<RunningMesh> => {
	const { data, onPart } = options;
	let beganMs = performance.now();
	const part = (name: string, detail: string): void => {
		const nowMs = performance.now();
		onPart({ part: name, detail, ms: Math.round(nowMs - beganMs) });
		beganMs = nowMs;
	};
	const config = required(await findConfig(options.config, data));
	const policy = required(await readPolicies(config));
	part("config", config.file ?? "no orion.yaml: nothing is supervised yet");
	const { mesh } = await openDataFolder(data);
	const clock = hostClock();
	const world: World = { clock, timers: hostTimers(), files: await keptFiles(join(data, "core")), fatal: options.onFatal };
	const log = await openLog(options, mesh);
	opened.add(() => log.close());
	part("log", `${log.head()} records in ${join(data, "log")}`);

	const node = config.value.node ?? nodeNameOf(hostname());
	const register = await openNodeRegister(await keptFiles(data), clock);
	const instance = randomBytes(8).toString("hex");
	const level = options.level === undefined ? {} : { level: options.level };
	const core = await openCore({
		log,
		mesh,
		code: VERSION,
		data,
		host: node,
		instance,
		policy,
		readPolicy: () => rereadPolicies(options),
		register,
		world,
		losses: log.losses,
		...level,
	});
	opened.add(() => core.close());
	part("core", `${mesh}, ${core.desk.state().level}, policy ${policy.hash.slice(7, 15)}`);

	const host = config.value.mqtt?.host ?? "127.0.0.1";
	const broker = await openBroker({
		mesh,
		host,
		port: options.mqttPort ?? config.value.mqtt?.port ?? DEFAULT_MQTT_PORT,
		credentials: register,
		intake: core.intake,
		instance,
	});
	opened.add(() => broker.close());
	const mqtt = `mqtt://${host}:${broker.port}`;
	part("broker", mqtt);

	const { token, file: tokenFile } = await openToken(data);
	const http = await openHttp({ desk: core.desk, token, host: "127.0.0.1", port: options.httpPort ?? config.value.http?.port ?? DEFAULT_HTTP_PORT, clock });
	opened.add(() => http.close());
	const httpUrl = `http://127.0.0.1:${http.port}`;
	part("http", httpUrl);

	await core.connect(linkTo(broker), { mqtt, http: () => httpUrl });
	await writeRunFile(data, { pid: process.pid, mqtt, http: httpUrl, tokenFile });
	opened.add(() => removeRunFile(data));

	const folder = join(data, "agent");
	await prepareAgent(folder, node, mesh, mqtt, core, register, config);
	const agent: AgentProcess = startAgentProcess({ folder, onLine: options.onAgentLine });
	opened.add(() => agent.stop());
	const agentReady = await agent.ready(AGENT_READY_WITHIN_MS);
	const services = Object.keys(config.value.processes ?? {});
	part("agent", `${node}${services.length === 0 ? "" : `, supervises ${services.join(", ")}`}${agentReady ? "" : ", still starting"}`);
	return {
		mesh,
		level: core.desk.state().level,
		mqtt,
		http: httpUrl,
		tokenFile,
		config,
		node,
		agentReady,
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

const openLog = (options: UpOptions, mesh: string) =>
	openSegments({
		files: nodeFiles(),
		folder: join(options.data, "log"),
		mesh,
		keyOf: keyOfRecord,
		identityOf,
		gapOf: gapOfRecord,
		acceptLoss: options.acceptLoss,
		onFatal: options.onFatal,
	});
