// Connects this device to a mesh with a token: who answers is compared with the token first, the key is made here, the certificate is kept here.
import { X509Certificate } from "node:crypto";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { checkContract } from "../../contracts/envelope.ts";
import { ERRORS, type ErrorCode, OrionError } from "../../contracts/errors.ts";
import type { ConfigNode } from "../../contracts/gen/types.ts";
import { NODE_ID } from "../../contracts/topics.ts";
import { JOIN_PATH } from "./join-door.ts";
import { keptFiles, readText } from "./kept-files.ts";
import { DEFAULT_JOIN_PORT } from "./listen.ts";
import { makeRequest, pinOf } from "./mesh-ca.ts";
import { CORE_SERVER_NAME, NODE_FILES } from "./node-certificate.ts";

const WITHIN_MS = 8_000;
const ANSWER_BYTES_MAX = 65_536;
const CHAIN_MAX = 4;
const TOKEN = /^([A-Za-z0-9_-]{43})\.([a-z0-9-]{1,32})\.([A-Za-z0-9_-]{32})$/;

interface Token {
	readonly pin: string;
	readonly node: string;
	readonly secret: string;
}

const parseToken = (text: string): Token => {
	const [, pin, node, secret] = TOKEN.exec(text.trim()) ?? [];
	if (pin === undefined || node === undefined || secret === undefined || !NODE_ID.test(node))
		throw new OrionError("USAGE", { detail: "that is no token: it is one long word, as `orion node add NAME` prints it" });
	return { pin, node, secret };
};

interface Address {
	readonly host: string;
	readonly port: number;
	readonly shown: string;
}

const parseAddress = (text: string): Address => {
	const [, v6, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^:/\s[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
	const host = v6 ?? plain;
	const number = Number(port ?? DEFAULT_JOIN_PORT);
	if (host === undefined || number < 1 || number > 65_535)
		throw new OrionError("USAGE", { detail: `${text.slice(0, 80)} is no address: HOST or HOST:PORT, an IPv6 address in [brackets]` });
	return { host, port: number, shown: `${v6 === undefined ? host : `[${v6}]`}:${number}` };
};

const ADVICE: Readonly<Record<string, string>> = {
	ECONNREFUSED: "The machine is there, and nothing listens on that port: does core run with --listen, and is it this port?",
	EHOSTUNREACH: "There is no way to that machine from here: look at the network and the address.",
	ENETUNREACH: "There is no way to that machine from here: look at the network and the address.",
	ENOTFOUND: "That name is not known here: give the IP address.",
	CERT_HAS_EXPIRED: "Its certificate is over, by the clock of this device: look at `date` here and on core, and start core again.",
	CERT_NOT_YET_VALID: "Its certificate is not valid yet, by the clock of this device: look at `date` here.",
	EPROTO: "What answers there does not speak TLS: is it the join port?",
};

const unreachable = (address: Address, error: unknown): OrionError => {
	if (error instanceof OrionError) return error;
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	const detail = code === "" ? (error instanceof Error ? error.message : "unknown") : code;
	const advice = ADVICE[code] ?? "Look at the address, the network, and whether core runs with --listen.";
	return new OrionError("JOIN_ADDRESS", { address: address.shown, detail, advice }, { cause: error });
};

/** The authority of whoever answers there, if it is the one that the token pins; no secret has been sent by then. */
const fetchAuthority = (address: Address, pin: string): Promise<string> =>
	new Promise((resolve, reject) => {
		const socket = connect({ host: address.host, port: address.port, servername: CORE_SERVER_NAME, rejectUnauthorized: false, timeout: WITHIN_MS });
		const fail = (error: unknown): void => {
			socket.destroy();
			reject(unreachable(address, error));
		};
		socket.once("error", fail);
		socket.once("timeout", () => fail(new Error(`no answer within ${WITHIN_MS / 1_000} s`)));
		socket.once("end", () => fail(new Error("it hung up")));
		socket.once("secureConnect", () => {
			let one = socket.getPeerCertificate(true);
			for (let depth = 0; depth < CHAIN_MAX && one?.raw !== undefined; depth += 1) {
				const certificate = new X509Certificate(one.raw);
				if (pinOf(certificate) === pin) {
					socket.destroy();
					resolve(certificate.toString());
					return;
				}
				one = one.issuerCertificate;
			}
			fail(new OrionError("AUTHORITY_FOREIGN", { address: address.shown }));
		});
	});

const post = (address: Address, ca: string, body: unknown): Promise<unknown> =>
	new Promise((resolve, reject) => {
		const fail = (error: unknown): void => reject(unreachable(address, error));
		const { host, port } = address;
		const asking = httpsRequest(
			{
				host,
				port,
				path: JOIN_PATH,
				method: "POST",
				ca,
				servername: CORE_SERVER_NAME,
				agent: false,
				timeout: WITHIN_MS,
				headers: { "content-type": "application/json" },
			},
			(response) => {
				let text = "";
				response.setEncoding("utf8");
				response.on("data", (part: string) => {
					text += part;
					if (text.length > ANSWER_BYTES_MAX) asking.destroy(new Error("the answer is too long"));
				});
				response.once("error", fail);
				response.once("end", () => {
					try {
						resolve(JSON.parse(text));
					} catch (error) {
						fail(error);
					}
				});
			},
		);
		asking.once("error", fail);
		asking.once("timeout", () => asking.destroy(new Error(`no answer within ${WITHIN_MS / 1_000} s`)));
		asking.end(JSON.stringify(body));
	});

interface Joined {
	readonly certificatePem: string;
	readonly notAfterWallMs: number;
	readonly config: ConfigNode;
}

const foreign = (address: Address, detail: string): OrionError =>
	new OrionError("JOIN_ADDRESS", { address: address.shown, detail, advice: "Is core of the same version as this device?" });

const readAnswer = (address: Address, node: string, answer: unknown): Joined => {
	const { fault, mesh, password, coreKeys, mqttPort, certificatePem, notAfterWallMs } = (answer ?? {}) as Readonly<Record<string, unknown>>;
	if (typeof fault === "object" && fault !== null) {
		const { code, facts } = fault as { readonly code?: unknown; readonly facts?: unknown };
		if (typeof code === "string" && Object.hasOwn(ERRORS, code)) throw new OrionError(code as ErrorCode, (facts ?? {}) as Record<string, string>);
	}
	if (typeof certificatePem !== "string" || typeof notAfterWallMs !== "number") throw foreign(address, "its answer has no certificate");
	const host = address.shown.slice(0, address.shown.lastIndexOf(":"));
	const config = { schema: "orion.node-config/1", mesh, node, url: `mqtts://${host}:${String(mqttPort)}`, username: node, password, coreKeys };
	const checked = checkContract("config.node", config);
	if (!checked.ok) throw foreign(address, `its answer breaks the contract at ${String(checked.fault.facts["pointer"])}`);
	return { certificatePem, notAfterWallMs, config: checked.value };
};

/** What stood in node.json beside the way to the mesh stays: what this device looks after. A device of another mesh or name is not taken over. */
const keptConfig = async (folder: string, { mesh, node }: ConfigNode): Promise<Partial<ConfigNode>> => {
	const file = join(folder, "node.json");
	const text = await readText(file);
	if (text === undefined) return {};
	const invalid = (detail: string) => new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail });
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		throw invalid("is not JSON; move it away and join again with a new token");
	}
	const checked = checkContract("config.node", value);
	if (!checked.ok) throw invalid("breaks its contract; move it away and join again with a new token");
	if (checked.value.mesh !== mesh || checked.value.node !== node)
		throw invalid(`is of ${checked.value.node} in ${checked.value.mesh}; choose another folder with --state, and a new token`);
	return checked.value;
};

/** Faults: USAGE, JOIN_ADDRESS, AUTHORITY_FOREIGN, TOKEN_REFUSED, JOIN_BUSY, CONFIG_INVALID. */
export const joinMesh = async (
	folder: string,
	addressText: string,
	tokenText: string,
): Promise<{ readonly mesh: string; readonly node: string; readonly url: string; readonly notAfterWallMs: number }> => {
	const address = parseAddress(addressText);
	const { pin, node, secret } = parseToken(tokenText);
	const authority = await fetchAuthority(address, pin);
	const { keyPem, requestPem } = await makeRequest(node);
	const files = await keptFiles(folder);
	const { certificatePem, notAfterWallMs, config } = readAnswer(address, node, await post(address, authority, { node, secret, request: requestPem }));
	const merged = { ...(await keptConfig(folder, config)), ...config };
	// Only now: a join that is refused leaves the identity that this device has.
	await files.write(NODE_FILES.key, keyPem, "secret");
	await files.write(NODE_FILES.authority, authority, "plain");
	await files.write(NODE_FILES.certificate, certificatePem, "plain");
	await files.write("node.json", `${JSON.stringify(merged, null, "\t")}\n`, "secret");
	return { mesh: config.mesh, node, url: config.url, notAfterWallMs };
};
