// Connects the command line to the actuator of a node on this machine: no mesh, no broker, no disk between a person and the robot.
import { readdir } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { ERRORS, type ErrorCode, type Facts, OrionError } from "../../contracts/errors.ts";
import type { RobotState } from "../robot/words.ts";

const SOCKET = "robot.sock";
const WITHIN_MS = 2_000;

const noRobot = (path: string, detail: string): OrionError => new OrionError("NO_ROBOT_HERE", { path, detail });

/** In the data folder, or one folder below it. */
const robotSocket = async (data: string): Promise<string> => {
	const entries = await readdir(data, { withFileTypes: true }).catch(() => []);
	const folders = [data, ...entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(data, name))];
	for (const folder of folders) {
		const inside = await readdir(folder, { withFileTypes: true }).catch(() => []);
		if (inside.some((entry) => entry.isSocket() && entry.name === SOCKET)) return join(folder, SOCKET);
	}
	throw noRobot(data, `no ${SOCKET} below it`);
};

/** One connection: asks in turn, and hears states in between when it watches. */
export class RobotLine {
	readonly #socket: Socket;
	readonly #path: string;
	readonly #waiting: { resolve(state: RobotState): void; reject(error: Error): void }[] = [];
	onState: (state: RobotState) => void = () => {};

	private constructor(socket: Socket, path: string) {
		this.#socket = socket;
		this.#path = path;
		let text = "";
		socket.setEncoding("utf8");
		socket.on("data", (chunk: string) => {
			text += chunk;
			const lines = text.split("\n");
			text = lines.pop() ?? "";
			for (const line of lines) this.#heard(line);
		});
		const lost = (): void => {
			for (const asked of this.#waiting.splice(0)) asked.reject(noRobot(path, "it closed without an answer"));
		};
		socket.on("error", () => socket.destroy());
		socket.on("close", lost);
	}

	/** Faults: NO_ROBOT_HERE. */
	static async open(data: string): Promise<RobotLine> {
		const path = await robotSocket(data);
		return new Promise((resolve, reject) => {
			const socket = createConnection(path);
			socket.once("error", (error) => reject(noRobot(path, error.message)));
			socket.once("connect", () => resolve(new RobotLine(socket, path)));
		});
	}

	/** Faults: what the robot refuses, and NO_ROBOT_HERE. */
	ask(request: object): Promise<RobotState> {
		const answer = new Promise<RobotState>((resolve, reject) => {
			if (this.#socket.destroyed) {
				reject(noRobot(this.#path, "the connection is closed"));
				return;
			}
			this.#waiting.push({ resolve, reject });
			this.#socket.write(`${JSON.stringify(request)}\n`);
		});
		const late = setTimeout(() => this.#socket.destroy(), WITHIN_MS);
		return answer.finally(() => clearTimeout(late));
	}

	close(): void {
		this.#socket.destroy();
	}

	#heard(line: string): void {
		const value = JSON.parse(line) as RobotState | (Facts & { readonly schema: "orion.error/1"; readonly code: string });
		const asked = this.#waiting.shift();
		if (value.schema !== "orion.error/1") {
			this.onState(value);
			asked?.resolve(value);
			return;
		}
		const code = value.code in ERRORS ? (value.code as ErrorCode) : "INTERNAL";
		asked?.reject(new OrionError(code, value));
	}
}
