// Composes the broker: a listening port, the library behind its frame filter, and the doorkeeper who judges what comes through.
import { X509Certificate } from "node:crypto";
import { createServer, type Server } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { OrionError } from "../contracts/errors.ts";
import { Library } from "./aedes.ts";
import { readCertified, standingOf } from "./certificate.ts";
import { Doorkeeper } from "./doorkeeper.ts";
import { LIMITS } from "./limits.ts";
import type { BrokerOptions, Certified, OpenBroker, SecureListener } from "./ports.ts";

export type { Broker, BrokerOptions, OpenBroker } from "./ports.ts";

const DRAIN_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 5_000;
const FLAG = "--mqtt-port";

/** Rejects with OrionError: PORT_IN_USE, PORT_REFUSED. */
export const listen = (server: Server, host: string, port: number, flag: string = FLAG): Promise<number> =>
	new Promise((resolve, reject) => {
		server.once("error", (error: NodeJS.ErrnoException) => {
			const facts = { port, host, flag, detail: error.code ?? error.message };
			reject(new OrionError(error.code === "EADDRINUSE" ? "PORT_IN_USE" : "PORT_REFUSED", facts, { cause: error }));
		});
		server.listen({ host, port }, () => {
			const address = server.address();
			resolve(typeof address === "object" && address !== null ? address.port : port);
		});
	});

const LOOK_EVERY_MS = 60_000;

/** A certificate that ends while its connection lasts ends the connection: its holder comes again as what it is now. Who is put out is dropped, without last words. */
const watch = (socket: TLSSocket, certified: Certified, { isRevoked, wall, lookEveryMs = LOOK_EVERY_MS }: SecureListener): void => {
	if (standingOf(certified, isRevoked, wall()) !== "valid") return;
	const look = setInterval(() => {
		if (standingOf(certified, isRevoked, wall()) === "expired") socket.destroy();
	}, lookEveryMs);
	look.unref();
	socket.once("close", () => clearInterval(look));
};

/** Who has no certificate of this mesh never reaches the library. One that is over does: what is left to it is decided when it says who it is. */
const secureServer = (secure: SecureListener, handshakeTimeout: number, attach: (socket: TLSSocket, certified: Certified) => void) => {
	const { keyPem: key, certificatePem, caPem } = secure;
	const authority = new X509Certificate(caPem);
	const cert = `${certificatePem}\n${caPem}`;
	const server = createTlsServer(
		{ key, cert, ca: caPem, requestCert: true, rejectUnauthorized: false, minVersion: "TLSv1.2", handshakeTimeout, noDelay: true },
		(socket) => {
			const raw = socket.getPeerX509Certificate()?.raw;
			const certified = raw === undefined ? undefined : readCertified(raw, authority);
			if (certified === undefined) {
				socket.destroy();
				return;
			}
			watch(socket, certified, secure);
			attach(socket, certified);
		},
	);
	// A handshake that fails is its peer's business.
	server.on("tlsClientError", (_error, socket) => socket.destroy());
	return server;
};

/** Rejects with OrionError: PORT_IN_USE, PORT_REFUSED. */
export const openBroker = async (options: BrokerOptions): Promise<OpenBroker> => {
	const now = options.now ?? (() => performance.now());
	const doorkeeper: Doorkeeper = new Doorkeeper(options, now, (topic, bytes, qos, retain) => library.publish(topic, bytes, qos, retain));
	const { drainTimeoutMs = DRAIN_TIMEOUT_MS, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
	const limits = { ...LIMITS, ...options.limits };
	const library: Library = await Library.open({ door: doorkeeper, instance: options.instance, drainTimeoutMs, connectTimeoutMs, now, limits });
	const server = createServer({ noDelay: true }, (socket) => library.attach(socket));
	const { secure } = options;
	const tls = secure === undefined ? undefined : secureServer(secure, connectTimeoutMs, (socket, certified) => library.attach(socket, certified));
	let port: number;
	let securePort: number | undefined;
	try {
		port = await listen(server, options.host, options.port);
		if (secure !== undefined && tls !== undefined) securePort = await listen(tls, secure.host, secure.port, "--mqtts-port");
	} catch (error) {
		server.close();
		await library.close();
		throw error;
	}
	let closing: Promise<void> | undefined;
	const close = async (): Promise<void> => {
		const closed = Promise.all([server, tls].map((one) => new Promise<void>((resolve) => (one === undefined ? resolve() : one.close(() => resolve())))));
		await library.close();
		await doorkeeper.settle();
		await closed;
	};
	return {
		port,
		...(securePort === undefined ? {} : { securePort }),
		publish: (topic, bytes, { qos, retain }) => library.publish(topic, bytes, qos, retain),
		deliver: (node, topic, bytes) => library.deliver(node, topic, bytes),
		drop: (node) => {
			doorkeeper.dropped();
			return library.drop((identity) => identity.node === node);
		},
		connections: () => library.connections(),
		retained: (topic) => library.retained(topic),
		close: () => {
			closing ??= close();
			return closing;
		},
	};
};
