// Connects a device to core's join listener: an address as people type it, one question over TLS, and what went wrong in words of its layer.
import { request as httpsRequest } from "node:https";
import { ERRORS, type ErrorCode, OrionError } from "../../contracts/errors.ts";
import { DEFAULT_JOIN_PORT } from "./listen.ts";
import { CORE_SERVER_NAME } from "./node-certificate.ts";

export const WITHIN_MS = 8_000;
const ANSWER_BYTES_MAX = 65_536;

export interface Address {
	readonly host: string;
	readonly port: number;
	readonly shown: string;
}

/** Fault: USAGE. */
export const parseAddress = (text: string): Address => {
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

export const unreachable = (address: Address, error: unknown): OrionError => {
	if (error instanceof OrionError) return error;
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	const detail = code === "" ? (error instanceof Error ? error.message : "unknown") : code;
	const advice = ADVICE[code] ?? "Look at the address, the network, and whether core runs with --listen.";
	return new OrionError("JOIN_ADDRESS", { address: address.shown, detail, advice }, { cause: error });
};

const ask = (address: Address, ca: string, path: string, body: unknown, shown?: Shown): Promise<unknown> =>
	new Promise((resolve, reject) => {
		const fail = (error: unknown): void => reject(unreachable(address, error));
		const { host, port } = address;
		const asking = httpsRequest(
			{
				host,
				port,
				path,
				method: "POST",
				ca,
				...shown,
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

/** What a device shows beside its question. */
export interface Shown {
	readonly key: string;
	readonly cert: string;
}

/** Rejects with OrionError: JOIN_ADDRESS, or what core answered. */
export const post = async (address: Address, ca: string, path: string, body: unknown, shown?: Shown): Promise<Readonly<Record<string, unknown>>> => {
	const answer = ((await ask(address, ca, path, body, shown)) ?? {}) as Readonly<Record<string, unknown>>;
	const { fault } = answer;
	if (typeof fault === "object" && fault !== null) {
		const { code, facts } = fault as { readonly code?: unknown; readonly facts?: unknown };
		if (typeof code === "string" && Object.hasOwn(ERRORS, code)) throw new OrionError(code as ErrorCode, (facts ?? {}) as Record<string, string>);
	}
	return answer;
};

export const foreign = (address: Address, detail: string): OrionError =>
	new OrionError("JOIN_ADDRESS", { address: address.shown, detail, advice: "Is core of the same version as this device?" });
