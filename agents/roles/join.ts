// Connects this device to a mesh with a token: who answers is compared with the token first, the key is made here, the certificate is kept here.
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { connect } from "node:tls";
import { checkContract } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { ConfigNode } from "../../contracts/gen/types.ts";
import { NODE_ID } from "../../contracts/topics.ts";
import { type Address, foreign, parseAddress, post, unreachable, WITHIN_MS } from "./core-line.ts";
import { keptFiles, readText } from "./kept-files.ts";
import { JOIN_PATH } from "./listen.ts";
import { makeRequest, pinOf } from "./mesh-ca.ts";
import { CLIENT_FILE, CORE_SERVER_NAME, NODE_FILE, NODE_FILES } from "./node-certificate.ts";

const CHAIN_MAX = 4;
const TOKEN = /^(?:orion\.)?([A-Za-z0-9_-]{43})\.([a-z0-9-]{1,32})\.([A-Za-z0-9_-]{32})$/;

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

interface Joined {
	readonly certificatePem: string;
	readonly notAfterWallMs: number;
	readonly config: ConfigNode;
}

const readAnswer = (address: Address, node: string, answer: Readonly<Record<string, unknown>>): Joined => {
	const { mesh, password, coreKeys, mqttPort, certificatePem, notAfterWallMs } = answer;
	if (typeof certificatePem !== "string" || typeof notAfterWallMs !== "number") throw foreign(address, "its answer has no certificate");
	const host = address.shown.slice(0, address.shown.lastIndexOf(":"));
	const config = {
		schema: "orion.node-config/1",
		mesh,
		node,
		url: `mqtts://${host}:${String(mqttPort)}`,
		username: node,
		password,
		coreKeys,
		join: address.shown,
	};
	const checked = checkContract("config.node", config);
	if (!checked.ok) throw foreign(address, `its answer breaks the contract at ${String(checked.fault.facts["pointer"])}`);
	return { certificatePem, notAfterWallMs, config: checked.value };
};

/** What stood in node.json beside the way to the mesh stays: what this device looks after. A device of another mesh or name is not taken over. */
const keptConfig = async (folder: string, fileName: string, { mesh, node }: ConfigNode): Promise<Partial<ConfigNode>> => {
	const file = join(folder, fileName);
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

export interface JoinedMesh {
	readonly mesh: string;
	readonly node: string;
	readonly url: string;
	readonly notAfterWallMs: number;
}

/** `client`: it becomes one that only publishes events. Faults: USAGE, JOIN_ADDRESS, AUTHORITY_FOREIGN, TOKEN_REFUSED, JOIN_BUSY, CONFIG_INVALID. */
export const joinMesh = async (folder: string, addressText: string, tokenText: string, client = false): Promise<JoinedMesh> => {
	const address = parseAddress(addressText);
	const { pin, node, secret } = parseToken(tokenText);
	const authority = await fetchAuthority(address, pin);
	const { keyPem, requestPem } = await makeRequest(node);
	const files = await keptFiles(folder);
	const asked = { node, secret, request: requestPem, ...(client ? { client } : {}) };
	const { certificatePem, notAfterWallMs, config } = readAnswer(address, node, await post(address, authority, JOIN_PATH, asked));
	const name = client ? CLIENT_FILE : NODE_FILE;
	const merged = { ...(await keptConfig(folder, name, config)), ...config };
	// Only now: a join that is refused leaves the identity that this device has.
	await files.write(NODE_FILES.key, keyPem, "secret");
	await files.write(NODE_FILES.authority, authority, "plain");
	await files.write(NODE_FILES.certificate, certificatePem, "plain");
	await files.write(name, `${JSON.stringify(merged, null, "\t")}\n`, "secret");
	return { mesh: config.mesh, node, url: config.url, notAfterWallMs };
};
