// Connects tests to the command line in this process: its own streams, its own clock, and a real API over a desk with the real engine.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli } from "../../agents/cli/program.ts";
import type { Host } from "../../agents/cli/session.ts";
import { openHttp } from "../../core/service/http.ts";
import type { DeskWorld } from "../core/http-desk.ts";
import { removeFolder } from "../support/remove-folder.ts";

export const TOKEN = "token-of-test-0123456789abcdef0123456789";

export interface Ran {
	readonly code: number;
	readonly out: string;
	readonly err: string;
}

export interface Surroundings extends Partial<Host> {
	/** Called with each piece of output, for tests that wait for one. */
	readonly onOut?: (text: string) => void;
}

/** A terminal of a test, and what was written to it so far. */
export const hostOf = (surroundings: Surroundings = {}): { readonly host: Host; readonly written: () => Omit<Ran, "code"> } => {
	const { onOut, ...more } = surroundings;
	let out = "";
	let err = "";
	const host: Host = {
		out: (text) => {
			out += text;
			onOut?.(text);
		},
		err: (text) => {
			err += text;
		},
		outIsTty: false,
		errIsTty: false,
		inIsTty: false,
		columns: 80,
		env: {},
		user: "lars",
		wallMs: () => Date.UTC(2026, 0, 2, 3, 5, 0),
		askLine: async () => "",
		interrupted: new AbortController().signal,
		...more,
	};
	return { host, written: () => ({ out, err }) };
};

export const runHere = async (args: readonly string[], surroundings: Surroundings = {}): Promise<Ran> => {
	const { host, written } = hostOf(surroundings);
	const code = await runCli(args, host);
	return { code, ...written() };
};

export interface TestApi {
	readonly url: string;
	readonly folder: string;
	run(args: readonly string[], surroundings?: Surroundings): Promise<Ran>;
	close(): Promise<void>;
}

/** The API over a world, with a data folder in which the command line finds it. */
export const apiOver = async (world: DeskWorld): Promise<TestApi> => {
	const folder = mkdtempSync(join(tmpdir(), "orion-cli-"));
	const api = await openHttp({ desk: world.desk(), token: TOKEN, host: "127.0.0.1", port: 0, clock: world.clock() });
	const url = `http://127.0.0.1:${api.port}`;
	writeFileSync(join(folder, "token"), `${TOKEN}\n`);
	writeFileSync(
		join(folder, "run.json"),
		JSON.stringify({ schema: "orion.run/1", pid: process.pid, mqtt: "mqtt://127.0.0.1:1883", http: url, tokenFile: join(folder, "token") }),
	);
	return {
		url,
		folder,
		run: (args, surroundings) => runHere([...args, "--data", folder], { wallMs: () => world.wallMs, ...surroundings }),
		close: async () => {
			await api.close();
			removeFolder(folder);
		},
	};
};
