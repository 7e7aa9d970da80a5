// Connects devices to the authority of the mesh: a small TLS listener of its own, where a token becomes a certificate, and a certificate a new one.
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { TLSSocket } from "node:tls";
import { listen } from "../../broker/broker.ts";
import { Guesses } from "../../broker/guesses.ts";
import { type Fault, fail, fault } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { NODE_ID } from "../../contracts/topics.ts";
import type { JoinTokens } from "./join-tokens.ts";
import { JOIN_PATH, RENEW_PATH } from "./listen.ts";
import type { KeyAndCertificate, MeshCa } from "./mesh-ca.ts";
import type { OpenRegister } from "./node-register.ts";
import { renewFor } from "./renewal.ts";

const BODY_BYTES_MAX = 8_192;
const REQUEST_WITHIN_MS = 5_000;
const CONNECTIONS_MAX = 16;
const STATUS = { TOKEN_REFUSED: 403, NOT_AUTHENTICATED: 403, CERTIFICATE_REVOKED: 403, JOIN_BUSY: 429 } as const;
const BAD_REQUEST = 400;

export interface JoinDoorOptions {
	readonly host: string;
	/** 0 = any free port. */
	readonly port: number;
	readonly ca: MeshCa;
	readonly server: KeyAndCertificate;
	readonly tokens: JoinTokens;
	readonly register: OpenRegister;
	/** What a node must know of its mesh beside its own credential. */
	readonly facts: Readonly<Record<string, unknown>>;
	readonly now: () => number;
}

interface Asked {
	readonly node: string;
	/** Of the token, or the node's password. */
	readonly secret: string;
	readonly request: string;
	/** What the device takes itself for. */
	readonly client: boolean;
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
		const { node, secret, request, client = false } = JSON.parse(text ?? "") as Partial<Record<keyof Asked, unknown>>;
		if (typeof node !== "string" || typeof secret !== "string" || typeof request !== "string" || typeof client !== "boolean") return undefined;
		return NODE_ID.test(node) ? { node, secret, request, client } : undefined;
	} catch {
		return undefined;
	}
};

type Work = (asked: Asked, shown: Uint8Array | undefined) => Promise<Result<object>>;

const joinWork =
	({ ca, tokens, register, facts }: JoinDoorOptions): Work =>
	async ({ node, secret, request, client }) => {
		// The request is judged first: a broken one shall not cost the token, and nor shall one for the other kind.
		const made = await ca.node(node, request);
		if (!made.ok) return made;
		const wanted = register.isClient(node);
		const isKnown = register.nodes().some((known) => known.node === node && known.revokedWallMs === undefined);
		if (isKnown && wanted !== client)
			return fail("TOKEN_REFUSED", { detail: wanted ? "it makes a client: join with --client" : "it makes a node: join without --client" });
		const spent = await tokens.spend(node, secret);
		if (!spent.ok) return spent;
		if (!isKnown) return fail("TOKEN_REFUSED", { detail: `the node ${node} was removed` });
		const { certificatePem, notAfterWallMs, serial } = made.value;
		await register.certificates.gave({ node, serial, notAfterWallMs });
		return ok({
			schema: "orion.joined/1",
			...facts,
			node,
			...(wanted ? { client: true } : {}),
			password: await register.renew(node),
			certificatePem,
			notAfterWallMs,
		});
	};

const renewWork =
	({ ca, register }: JoinDoorOptions): Work =>
	async ({ node, secret, request }, shown) => {
		const renewed = await renewFor(ca, register, shown, { node, password: secret, request });
		return renewed.ok ? ok({ schema: "orion.renewed/1", node, ...renewed.value }) : renewed;
	};

const shownBy = ({ socket }: IncomingMessage): Uint8Array | undefined => (socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.raw : undefined);

/** Rejects with OrionError: PORT_IN_USE, PORT_REFUSED. */
export const openJoinDoor = async (options: JoinDoorOptions): Promise<{ readonly port: number; close(): Promise<void> }> => {
	const { ca, now } = options;
	const guesses = new Guesses();
	const works: Readonly<Record<string, Work>> = { [JOIN_PATH]: joinWork(options), [RENEW_PATH]: renewWork(options) };
	const answer = (response: ServerResponse, status: number, body: unknown): void => {
		response.writeHead(status, { "content-type": "application/json", connection: "close" }).end(JSON.stringify(body));
	};
	const refuse = (response: ServerResponse, found: Fault): void =>
		answer(response, found.code in STATUS ? STATUS[found.code as keyof typeof STATUS] : BAD_REQUEST, { fault: found });
	const serve = async (remote: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
		if (!guesses.mayTry(remote, now())) return refuse(response, fault("JOIN_BUSY", { address: remote }));
		const work = request.method === "POST" && Object.hasOwn(works, request.url ?? "") ? works[request.url ?? ""] : undefined;
		const asked = work === undefined ? undefined : askedIn(await bodyOf(request));
		const found =
			work === undefined || asked === undefined
				? fail("REQUEST_UNREADABLE", { detail: `only POST ${JOIN_PATH} and ${RENEW_PATH} with node, secret and request are answered here` })
				: await work(asked, shownBy(request));
		if (found.ok) return answer(response, 200, found.value);
		guesses.wasWrong(remote, now());
		refuse(response, found.fault);
	};
	const { keyPem: key, certificatePem } = options.server;
	const server = createServer(
		{
			key,
			cert: `${certificatePem}\n${ca.certificatePem}`,
			ca: ca.certificatePem,
			// Who joins has none yet, and one that is over is looked at as well: what it is worth is decided there.
			requestCert: true,
			rejectUnauthorized: false,
			minVersion: "TLSv1.2",
			handshakeTimeout: REQUEST_WITHIN_MS,
		},
		(request, response) => {
			serve(request.socket.remoteAddress ?? "gone", request, response).catch(() => response.destroy());
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
