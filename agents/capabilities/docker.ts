// Connects allow-listed containers to the Docker Engine through its unix socket: a few calls of its HTTP API and no others.
import { request } from "node:http";
import type { Condition, Runtime } from "./watched.ts";

const CALL_WITHIN_MS = 60_000;
const BODY_BYTES_MAX = 1_024 * 1_024;
/** Seconds that a container gets to end before it is killed. */
const STOP_SECONDS = 10;

interface Answer {
	readonly status: number;
	readonly body: unknown;
}

const ask = (socketPath: string, method: "GET" | "POST", path: string): Promise<Answer> =>
	new Promise((resolve, reject) => {
		const asked = request({ socketPath, method, path, timeout: CALL_WITHIN_MS, headers: { host: "docker" } }, (response) => {
			const chunks: Buffer[] = [];
			let bytes = 0;
			response.on("data", (chunk: Buffer) => {
				bytes += chunk.byteLength;
				if (bytes > BODY_BYTES_MAX) response.destroy(new Error("the Engine's answer is too large"));
				else chunks.push(chunk);
			});
			response.on("error", reject);
			response.on("end", () => {
				const text = Buffer.concat(chunks).toString();
				let body: unknown;
				try {
					body = text === "" ? undefined : JSON.parse(text);
				} catch {
					return reject(new Error("the Engine's answer is no JSON"));
				}
				resolve({ status: response.statusCode ?? 0, body });
			});
		});
		asked.on("timeout", () => asked.destroy(new Error("the Engine does not answer")));
		asked.on("error", (error: NodeJS.ErrnoException) => {
			const why = {
				ENOENT: "there is no such socket",
				EACCES: "this user may not use it; add it to the group docker",
				ECONNREFUSED: "the Engine does not run",
			}[error.code ?? ""];
			reject(new Error(`${socketPath}: ${why ?? error.message}`));
		});
		asked.end();
	});

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** `GET /containers/NAME/json` -> how it is. One that restarts by itself, or is unhealthy, is down. */
export const conditionOf = (body: unknown): Condition => {
	const state = fieldsOf(fieldsOf(body)["State"]);
	const status = text(state["Status"]) || "unknown";
	const health = text(fieldsOf(state["Health"])["Status"]);
	const code = state["ExitCode"];
	const exitCode = typeof code === "number" && Number.isInteger(code) && code >= 0 && code < 256 ? { exitCode: code } : {};
	const said = text(state["Error"]);
	const detail = said === "" ? {} : { detail: said };
	if (state["Restarting"] === true) return { kind: "down", state: "restarting", ...exitCode, ...detail };
	if (state["OOMKilled"] === true && state["Running"] !== true) return { kind: "down", state: "killed for its memory", ...exitCode, ...detail };
	if (state["Running"] === true) {
		if (state["Paused"] === true) return { kind: "down", state: "paused" };
		if (health === "unhealthy") return { kind: "down", state: "running, unhealthy" };
		return health === "starting"
			? { kind: "between", state: "running, health starting" }
			: { kind: "up", state: health === "" || health === "none" ? "running" : `running, ${health}` };
	}
	if (status === "created") return { kind: "stopped", state: "created, never started" };
	// 0, SIGTERM and SIGKILL after a stop: who stops a container leaves these.
	if (status === "exited" && (code === 0 || code === 143 || code === 137)) return { kind: "stopped", state: `exited (${String(code)})` };
	return { kind: "down", state: status, ...exitCode, ...detail };
};

const refused = ({ status, body }: Answer): Error => new Error(text(fieldsOf(body)["message"]) || `the Engine answers ${status}`);

export const dockerRuntime = ({ socket }: { readonly socket: string }): Runtime => {
	const path = (container: string, what: string): string => `/containers/${encodeURIComponent(container)}/${what}`;
	const change = async (container: string, what: "restart" | "stop"): Promise<void> => {
		const answer = await ask(socket, "POST", path(container, `${what}?t=${STOP_SECONDS}`));
		// 304: it is so already.
		if (answer.status !== 204 && answer.status !== 304) throw refused(answer);
	};
	return {
		name: "docker",
		look: async (container) => {
			const answer = await ask(socket, "GET", path(container, "json"));
			if (answer.status === 404) return { kind: "down", state: "missing", detail: "there is no container of this name" };
			if (answer.status !== 200) throw refused(answer);
			return conditionOf(answer.body);
		},
		restart: (container) => change(container, "restart"),
		stop: (container) => change(container, "stop"),
	};
};
