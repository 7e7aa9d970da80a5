// Connects the linux-guard's unix socket to a line of bytes.
import { connect } from "node:net";
import { OrionError } from "../../contracts/errors.ts";
import type { ByteLine, LineEnds } from "./line-driver.ts";

export const openGuardLine = (path: string, { onBytes, onClosed }: LineEnds): Promise<ByteLine> =>
	new Promise((resolve, reject) => {
		const socket = connect(path);
		const refused = (error: Error): void => reject(new OrionError("PORT_CLOSED", { path, detail: error.message }));
		socket.once("error", refused);
		socket.once("connect", () => {
			socket.off("error", refused);
			socket.on("error", () => socket.destroy());
			socket.once("close", onClosed);
			socket.on("data", onBytes);
			resolve({
				write: (bytes) => void socket.write(bytes),
				close: () => new Promise((done) => (socket.destroyed ? done() : socket.end(() => done()))),
			});
		});
	});
