// Connects the command line to the stop sockets of the nodes on this machine: no mesh, no broker, no disk between a person and the node.
import { readdir } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import type { StopAnswer, StopRequest } from "../../edge/stop-desk.ts";

const SOCKET = "stop.sock";
const WITHIN_MS = 2_000;

export type LocalAnswer = StopAnswer;

const faultAt = (path: string, detail: string): OrionError => new OrionError("NO_NODE_HERE", { path, detail });

/** The sockets of the nodes whose folders lie below the data folder. */
export const stopSockets = async (data: string): Promise<readonly string[]> => {
	const found: string[] = [];
	const look = async (folder: string): Promise<readonly string[]> => {
		const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
		found.push(...entries.filter((entry) => entry.isSocket() && entry.name === SOCKET).map(({ name }) => join(folder, name)));
		return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
	};
	for (const folder of await look(data)) await look(folder);
	return found;
};

/** Faults: NO_NODE_HERE, USAGE. */
export const askStopSocket = (path: string, request: StopRequest | Omit<StopRequest, "node">): Promise<LocalAnswer> =>
	new Promise((resolve, reject) => {
		let text = "";
		const socket = createConnection(path);
		socket.setEncoding("utf8");
		socket.setTimeout(WITHIN_MS, () => socket.destroy(new Error(`no answer within ${WITHIN_MS} ms`)));
		socket.on("connect", () => socket.write(`${JSON.stringify(request)}\n`));
		socket.on("data", (chunk: string) => {
			text += chunk;
			if (!text.includes("\n")) return;
			socket.end();
			const answer = JSON.parse(text) as LocalAnswer & { readonly code?: string; readonly detail?: string };
			if (answer.code === undefined) resolve(answer);
			else reject(new OrionError("USAGE", { detail: answer.detail ?? answer.code }));
		});
		socket.on("error", (error) => reject(faultAt(path, error.message)));
		socket.on("close", () => reject(faultAt(path, "it closed without an answer")));
	});
