// Decides on which port of loopback a server may listen that is killed and must come back on the same one.
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { OrionError } from "../../contracts/errors.ts";

const LOWEST = 10_000;
const HIGHEST = 32_767;
const TRIES_MAX = 100;

/** Ports from here on are given to whoever connects somewhere: one of those could be taken while its server is down. */
const lowestGiven = (): number => {
	try {
		const lowest = Number.parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
		return lowest > LOWEST + 1_000 ? Math.min(lowest, HIGHEST + 1) : HIGHEST + 1;
	} catch {
		return HIGHEST + 1;
	}
};

const isFree = (port: number): Promise<boolean> =>
	new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
	});

/** Free a moment ago, and given to nobody who only connects. Fault: DEMO_NOT_STARTED. */
export const freePort = async (): Promise<number> => {
	const end = lowestGiven();
	for (let tries = 0; tries < TRIES_MAX; tries += 1) {
		const port = randomInt(LOWEST, end);
		if (await isFree(port)) return port;
	}
	throw new OrionError("DEMO_NOT_STARTED", { detail: "no port of loopback is free" });
};
