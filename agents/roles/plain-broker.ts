// Composition root of `orion broker --config FILE`: a plain MQTT broker from its file. Chooses adapters, decides nothing.
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { openPlainBroker } from "../../broker/plain.ts";
import type { Refusal } from "../../broker/ports.ts";
import { type Fault, OrionError } from "../../contracts/errors.ts";
import type { ConfigBroker } from "../../contracts/gen/types.ts";
import { checkYaml } from "../../core/service/checked-yaml.ts";
import { isLoopback } from "./config.ts";
import { readText } from "./kept-files.ts";

export interface RunningBroker {
	readonly url: string;
	readonly file: string;
	readonly config: ConfigBroker;
	stop(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";
const DEFAULT_PORT = 1883;
const CONNECTIONS_MAX = 1_024;
const DRAIN_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 5_000;

const failed = ({ code, facts }: Fault): OrionError => new OrionError(code, facts);

const readConfig = async (file: string): Promise<ConfigBroker> => {
	const text = await readText(file);
	if (text === undefined) throw new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail: "there is no such file" });
	const checked = checkYaml(file, text, "config.broker", "CONFIG_INVALID");
	if (!checked.ok) throw failed(checked.fault);
	const { value, wrong } = checked.value;
	// Whoever can reach it can read and write everything.
	if (value.listen?.host !== undefined && !isLoopback(value.listen.host))
		throw failed(wrong(["listen", "host"], "only loopback (127.0.0.1): a broker that lets everybody in is for this host alone").fault);
	return value;
};

/** Rejects with OrionError: CONFIG_INVALID, PORT_IN_USE, PORT_REFUSED. */
export const startPlainBroker = async (named: string, onRefusal: (refusal: Refusal) => void): Promise<RunningBroker> => {
	const file = resolve(named);
	const config = await readConfig(file);
	const host = config.listen?.host ?? LOOPBACK;
	const broker = await openPlainBroker({
		host,
		port: config.listen?.port ?? DEFAULT_PORT,
		instance: randomBytes(8).toString("hex"),
		refuseSubscribe: config.refuseSubscribe ?? [],
		qosMax: config.qos2 === true ? 2 : 1,
		connectionsMax: config.connectionsMax ?? CONNECTIONS_MAX,
		drainTimeoutMs: DRAIN_TIMEOUT_MS,
		connectTimeoutMs: CONNECT_TIMEOUT_MS,
		now: () => performance.now(),
		onRefusal,
	});
	return { url: `mqtt://${host}:${broker.port}`, file, config, stop: () => broker.close() };
};
