// Connects a unix socket in the node's folder to its stop desk: one line in, one line out; it needs no broker, no core and no disk.
import { createServer, type Server, type Socket } from "node:net";
import { readStopRequest, refuseStopRequest, type StopDesk } from "./stop-desk.ts";

export interface StopSocketOptions {
	readonly path: string;
	readonly desk: StopDesk;
	/** Takes away what a killed agent left at the path. */
	readonly clear: () => Promise<void>;
}

const LINE_CHARACTERS_MAX = 4_096;
const CONNECTIONS_MAX = 64;
/** Whoever connects and says nothing is let go, so that nobody can fill the desk. */
const SILENT_MS_MAX = 5_000;

const serve = (socket: Socket, desk: StopDesk): void => {
	let text = "";
	let answering = 0;
	let ended = false;
	const goIfDone = (): void => {
		if (ended && answering === 0) socket.end();
	};
	const take = async (line: string): Promise<void> => {
		answering += 1;
		const request = readStopRequest(line, desk.node);
		const answer = request.ok ? await desk.ask(request.value) : refuseStopRequest(request.fault);
		if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
		answering -= 1;
		goIfDone();
	};
	socket.setEncoding("utf8");
	socket.setTimeout(SILENT_MS_MAX, () => socket.destroy());
	socket.on("error", () => socket.destroy());
	socket.on("data", (chunk: string) => {
		text += chunk;
		const lines = text.split("\n");
		text = lines.pop() ?? "";
		for (const line of lines) void take(line);
		if (text.length > LINE_CHARACTERS_MAX) socket.destroy();
	});
	socket.on("end", () => {
		ended = true;
		if (text.trim() === "") goIfDone();
		else void take(text);
	});
};

const listen = (server: Server, path: string): Promise<void> =>
	new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen(path, resolve);
	});

export const openStopSocket = async ({ path, desk, clear }: StopSocketOptions): Promise<{ close(): Promise<void> }> => {
	await clear();
	const open = new Set<Socket>();
	const server = createServer({ allowHalfOpen: true }, (socket) => {
		open.add(socket);
		socket.once("close", () => open.delete(socket));
		serve(socket, desk);
	});
	server.maxConnections = CONNECTIONS_MAX;
	await listen(server, path);
	return {
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				for (const socket of open) socket.destroy();
			}),
	};
};
