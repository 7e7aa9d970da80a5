// Connects the command line to a running mesh: finds it through its data folder or a URL, and turns what goes wrong into registered faults.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ERRORS, type ErrorCode, type Facts, OrionError } from "../../contracts/errors.ts";
import { dataFolder, type RunFile } from "../roles/data-folder.ts";

export interface FindOptions {
	readonly data?: string;
	readonly url?: string;
	readonly tokenFile?: string;
	readonly timeoutMs: number;
	readonly interrupted: AbortSignal;
}

export interface ServerEvent {
	readonly id: number;
	readonly data: unknown;
}

const textOf = async (file: string): Promise<string | undefined> => {
	try {
		return await readFile(file, "utf8");
	} catch (error) {
		const code = error instanceof Error && "code" in error ? error.code : undefined;
		if (code === "ENOENT" || code === "ENOTDIR") return undefined;
		throw new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail: error instanceof Error ? error.message : "cannot be read" });
	}
};

const runFileOf = (file: string, text: string): RunFile => {
	try {
		const value = JSON.parse(text) as Partial<RunFile>;
		if (value.schema === "orion.run/1" && typeof value.http === "string" && typeof value.tokenFile === "string") return value as RunFile;
	} catch {
		// Said below: a file that is no JSON is as wrong as one with other fields.
	}
	throw new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail: "is not orion.run/1; remove it when no mesh runs" });
};

const tokenOf = async (file: string): Promise<string> => {
	const token = (await textOf(file))?.trim();
	if (token === undefined || token === "") throw new OrionError("TOKEN_MISSING", { file });
	return token;
};

const checkedUrl = (text: string): string => {
	let url: URL;
	try {
		url = new URL(text);
	} catch {
		throw new OrionError("USAGE", { detail: `--url ${text} is no URL; it looks like http://127.0.0.1:7070` });
	}
	if (url.protocol !== "http:" && url.protocol !== "https:") throw new OrionError("USAGE", { detail: `--url ${text} is neither http nor https` });
	return url.href.replace(/\/$/, "");
};

/** Faults: NOT_RUNNING, TOKEN_MISSING, USAGE, CONFIG_INVALID. */
export const findMesh = async (options: FindOptions): Promise<MeshClient> => {
	const folder = dataFolder(options.data);
	if (options.url !== undefined) {
		const url = checkedUrl(options.url);
		return new MeshClient(url, await tokenOf(options.tokenFile ?? join(folder, "token")), options);
	}
	const file = join(folder, "run.json");
	const text = await textOf(file);
	if (text === undefined) throw new OrionError("NOT_RUNNING", { url: folder });
	const run = runFileOf(file, text);
	return new MeshClient(checkedUrl(run.http), await tokenOf(options.tokenFile ?? run.tokenFile), options);
};

const isCode = (code: unknown): code is ErrorCode => typeof code === "string" && Object.hasOwn(ERRORS, code);

/** The fault that an answer carries; one that is not ours is somebody else's server. */
const faultIn = async (url: string, response: Response): Promise<OrionError> => {
	const body: unknown = await response.json().catch(() => undefined);
	const error = typeof body === "object" && body !== null && "error" in body ? body.error : undefined;
	if (typeof error !== "object" || error === null || !("code" in error) || !isCode(error.code))
		return new OrionError("UNREACHABLE", { url, detail: `it answers ${response.status}, but not as an orion mesh does` });
	const { code, text: _text, ...facts } = error as Record<string, unknown> & { code: ErrorCode };
	return new OrionError(code, facts as Facts);
};

export class MeshClient {
	readonly url: string;
	readonly #token: string;
	readonly #options: FindOptions;

	constructor(url: string, token: string, options: FindOptions) {
		this.url = url;
		this.#token = token;
		this.#options = options;
	}

	get<T>(path: string): Promise<T> {
		return this.#ask<T>("GET", path, undefined);
	}
	post<T>(path: string, body: unknown): Promise<T> {
		return this.#ask<T>("POST", path, body);
	}
	delete<T>(path: string): Promise<T> {
		return this.#ask<T>("DELETE", path, undefined);
	}

	/** Server-sent events until the mesh or a person ends it. */
	async *events(path: string): AsyncGenerator<ServerEvent> {
		const response = await this.#fetch("GET", path, undefined, this.#options.interrupted);
		if (response.body === null) return;
		const decoder = new TextDecoder();
		let rest = "";
		for await (const chunk of response.body) {
			rest += decoder.decode(chunk, { stream: true });
			const blocks = rest.split("\n\n");
			rest = blocks.pop() ?? "";
			for (const block of blocks) {
				const fields = new Map(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
				const data = fields.get("data");
				if (data !== undefined && fields.has("id")) yield { id: Number(fields.get("id")), data: JSON.parse(data) };
			}
		}
	}

	async #ask<T>(method: string, path: string, body: unknown): Promise<T> {
		const response = await this.#fetch(method, path, body, AbortSignal.any([AbortSignal.timeout(this.#options.timeoutMs), this.#options.interrupted]));
		try {
			return (await response.json()) as T;
		} catch (error) {
			throw this.#unreachable(error);
		}
	}

	async #fetch(method: string, path: string, body: unknown, signal: AbortSignal): Promise<Response> {
		let response: Response;
		try {
			response = await fetch(`${this.url}${path}`, {
				method,
				signal,
				headers: { authorization: `Bearer ${this.#token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
				...(body === undefined ? {} : { body: JSON.stringify(body) }),
			});
		} catch (error) {
			throw this.#unreachable(error);
		}
		if (!response.ok) throw await faultIn(this.url, response);
		return response;
	}

	#unreachable(error: unknown): OrionError {
		if (error instanceof Error && error.name === "TimeoutError")
			return new OrionError("UNREACHABLE", { url: this.url, detail: `no answer within ${this.#options.timeoutMs / 1_000} s; wait longer with --timeout` });
		const cause: unknown = error instanceof Error ? error.cause : undefined;
		const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
		if (code === "ECONNREFUSED") return new OrionError("NOT_RUNNING", { url: this.url });
		const detail = cause instanceof Error ? cause.message : error instanceof Error ? error.message : "unknown";
		return new OrionError("UNREACHABLE", { url: this.url, detail: detail || code }, { cause: error });
	}
}
