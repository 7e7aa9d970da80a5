// Connects devices that hold a token to the authority of the mesh: a small TLS listener of its own, with this one question on it.
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { listen } from "../../broker/broker.ts";
import { Guesses } from "../../broker/guesses.ts";
import { type Fault, fault } from "../../contracts/errors.ts";
import { NODE_ID } from "../../contracts/topics.ts";
import type { JoinTokens } from "./join-tokens.ts";
import type { KeyAndCertificate, MeshCa } from "./mesh-ca.ts";

export const JOIN_PATH = "/join";

const BODY_BYTES_MAX = 8_192;
const REQUEST_WITHIN_MS = 5_000;
const CONNECTIONS_MAX = 16;
const STATUS = { TOKEN_REFUSED: 403, JOIN_BUSY: 429 } as const;
const BAD_REQUEST = 400;

export interface JoinDoorOptions {
	readonly host: string;
	/** 0 = any free port. */
	readonly port: number;
	readonly ca: MeshCa;
	readonly server: KeyAndCertificate;
	readonly tokens: JoinTokens;
	/** The password of a node that has just shown its token; undefined: it was removed meanwhile. */
	readonly admit: (node: string) => Promise<string | undefined>;
	/** What a node must know of its mesh beside its own credential. */
	readonly facts: Readonly<Record<string, unknown>>;
	readonly now: () => number;
}

interface Asked {
	readonly node: string;
	readonly secret: string;
	readonly request: string;
}

const bodyOf = async (request: IncomingMessage): Promise<string | undefined> => {
	const parts: Buffer[] = [];
	let bytes = 0;
	for await (const part of request as AsyncIterable<Buffer>) {
		bytes += part.length;
		if (bytes > BODY_BYTES_MAX) return undefined;
		parts.push(part);
	}
	return Buffer.concat(parts).toString("utf8");
};

const askedIn = (text: string | undefined): Asked | undefined => {
	try {
		const { node, secret, request } = JSON.parse(text ?? "") as Partial<Record<keyof Asked, unknown>>;
		if (typeof node !== "string" || typeof secret !== "string" || typeof request !== "string" || !NODE_ID.test(node)) return undefined;
		return { node, secret, request };
	} catch {
		return undefined;
	}
};

/** Rejects with OrionError: PORT_IN_USE, PORT_REFUSED. */
export const openJoinDoor = async (options: JoinDoorOptions): Promise<{ readonly port: number; close(): Promise<void> }> => {
	const { ca, tokens, now } = options;
	const guesses = new Guesses();
	const answer = (response: ServerResponse, status: number, body: unknown): void => {
		response.writeHead(status, { "content-type": "application/json", connection: "close" }).end(JSON.stringify(body));
	};
	const refuse = (response: ServerResponse, found: Fault): void =>
		answer(response, found.code in STATUS ? STATUS[found.code as keyof typeof STATUS] : BAD_REQUEST, { fault: found });
	const join = async (remote: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
		if (!guesses.mayTry(remote, now())) return refuse(response, fault("JOIN_BUSY", { address: remote }));
		const asked = request.method === "POST" && request.url === JOIN_PATH ? askedIn(await bodyOf(request)) : undefined;
		if (asked === undefined) {
			guesses.wasWrong(remote, now());
			return refuse(response, fault("REQUEST_UNREADABLE", { detail: `only POST ${JOIN_PATH} with node, secret and request is answered here` }));
		}
		// The request is judged first: a broken one shall not cost the token.
		const certificate = await ca.node(asked.node, asked.request);
		if (!certificate.ok) {
			guesses.wasWrong(remote, now());
			return refuse(response, certificate.fault);
		}
		const spent = await tokens.spend(asked.node, asked.secret);
		if (!spent.ok) {
			guesses.wasWrong(remote, now());
			return refuse(response, spent.fault);
		}
		const password = await options.admit(asked.node);
		if (password === undefined) return refuse(response, fault("TOKEN_REFUSED", { detail: `the node ${asked.node} was removed` }));
		answer(response, 200, { schema: "orion.joined/1", ...options.facts, node: asked.node, password, ...certificate.value });
	};
	const { keyPem: key, certificatePem } = options.server;
	const server = createServer(
		{ key, cert: `${certificatePem}\n${ca.certificatePem}`, minVersion: "TLSv1.2", handshakeTimeout: REQUEST_WITHIN_MS },
		(request, response) => {
			join(request.socket.remoteAddress ?? "gone", request, response).catch(() => response.destroy());
		},
	);
	server.maxConnections = CONNECTIONS_MAX;
	server.requestTimeout = REQUEST_WITHIN_MS;
	server.headersTimeout = REQUEST_WITHIN_MS;
	const port = await listen(server, options.host, options.port, "--join-port");
	return {
		port,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	};
};
