// Connects to a broker by MQTT 3.1.1; the only file of this room that knows the client library. One client object is one connection:
// the library's own reconnect drops, doubles and reorders what is in flight, so it never sees a second CONNECT.
import { createConnection } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { MqttClient as Client, IClientOptions } from "mqtt";
// The client alone: the package's entry brings web sockets and proxies, which cost every agent memory.
import library from "mqtt/lib/client";
import { OrionError } from "../contracts/errors.ts";
import type { Connect, Connection, ConnectOptions } from "./ports.ts";

/** A CommonJS default is wrapped once more by Node and bundlers than by test runners. */
const ClientClass = (library.default ?? library) as typeof Client;

export interface MqttAddress {
	/** mqtt://host:port, or mqtts://host:port, which needs tls. */
	readonly url: string;
	readonly username: string;
	readonly password: string;
	/** Asked at each connection: the certificate may be a newer one. */
	readonly tls?: () => MqttTls;
}

export interface MqttTls {
	/** The only authority that is believed, and the name that it gives to the broker. */
	readonly caPem: string;
	readonly serverName: string;
	readonly keyPem: string;
	readonly certificatePem: string;
}

const CONNECT_TIMEOUT_MS = 4_000;
/** A goodbye that takes longer is not waited for. */
const CLOSE_TIMEOUT_MS = 1_000;
const WRONG_CREDENTIAL = 4;
const NOT_ALLOWED = 5;
const SUBACK_REFUSED = 128;

const optionsOf = ({ username, password }: MqttAddress, { clientId, keepaliveSeconds, will }: ConnectOptions): IClientOptions => ({
	protocolVersion: 4,
	protocolId: "MQTT",
	clean: true,
	clientId,
	username,
	password,
	keepalive: keepaliveSeconds,
	// A dead peer must be noticed although this side goes on sending.
	reschedulePings: false,
	reconnectPeriod: 0,
	resubscribe: false,
	queueQoSZero: false,
	connectTimeout: CONNECT_TIMEOUT_MS,
	timerVariant: "native",
	...(will === undefined ? {} : { will: { topic: will.topic, payload: Buffer.from(will.bytes), qos: will.qos, retain: will.retain } }),
});

const connectionOf = (client: Client): Connection => ({
	publish: (topic, bytes, { qos, retain }) =>
		new Promise((resolve, reject) => {
			client.publish(topic, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), { qos, retain }, (error) => (error ? reject(error) : resolve()));
		}),
	subscribe: (filters) =>
		new Promise((resolve, reject) => {
			const wanted = Object.fromEntries(filters.map(({ topic, qos }) => [topic, { qos }]));
			client.subscribe(wanted, (error, granted) => {
				const refused = granted?.find(({ qos }) => qos === SUBACK_REFUSED);
				if (error) reject(error);
				else if (refused !== undefined)
					reject(new OrionError("TOPIC_REFUSED", { identity: client.options.clientId ?? "", verb: "subscribe", topic: refused.topic }));
				else resolve();
			});
		}),
	close: () =>
		new Promise((resolve) => {
			const deadline = setTimeout(() => {
				client.end(true);
				resolve();
			}, CLOSE_TIMEOUT_MS);
			client.end(false, {}, () => {
				clearTimeout(deadline);
				resolve();
			});
		}),
	destroy: () => {
		client.stream.destroy();
		client.end(true);
	},
});

const streamTo = ({ url, tls }: MqttAddress): (() => Duplex) => {
	const { hostname, port, protocol } = new URL(url);
	const host = hostname.replace(/^\[|\]$/g, "");
	if (protocol !== "mqtts:") return () => createConnection({ host, port: Number(port || 1883), noDelay: true });
	if (tls === undefined) throw new OrionError("CERTIFICATE_MISSING", { url });
	return () => {
		const { caPem: ca, keyPem: key, certificatePem: cert, serverName: servername } = tls();
		const socket = connectTls({ host, port: Number(port || 8883), ca, key, cert, servername, minVersion: "TLSv1.2" });
		socket.setNoDelay(true);
		return socket;
	};
};

/** The address's connector. */
export const mqttConnect = (address: MqttAddress): Connect => {
	const stream = streamTo(address);
	return (options) =>
		new Promise((resolve, reject) => {
			let open = false;
			let failure: unknown;
			const client = new ClientClass(stream, optionsOf(address, options));
			client.on("message", (topic, payload, packet) => options.onMessage(topic, payload, packet.retain));
			client.on("error", (error) => {
				failure ??= error;
			});
			client.once("connect", () => {
				open = true;
				resolve(connectionOf(client));
			});
			client.once("close", () => {
				client.end(true);
				if (open) {
					options.onClosed();
					return;
				}
				const code = failure instanceof Error && "code" in failure ? failure.code : undefined;
				if (code === NOT_ALLOWED && address.tls !== undefined) reject(new OrionError("CERTIFICATE_REFUSED", {}, { cause: failure }));
				else if (code === WRONG_CREDENTIAL || code === NOT_ALLOWED) reject(new OrionError("NOT_AUTHENTICATED", {}, { cause: failure }));
				else
					reject(
						new OrionError(
							"UNREACHABLE",
							{ url: address.url, detail: failure instanceof Error ? failure.message || String(code) : "closed" },
							{ cause: failure },
						),
					);
			});
		});
};
