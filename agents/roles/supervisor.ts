// Connects a process to the service that supervises it (sd_notify): ready, stopping, and a sign of life that only a turn of its safety loop gives.
import { type ChildProcess, spawn } from "node:child_process";
import { type Instant, instant } from "../../contracts/time.ts";

/** What takes the words to the supervisor, one at a time; `taken` counts those that arrived. */
export interface Carrier {
	say(word: string): void;
	/** Words said and not yet taken. */
	waiting(): number;
}

export interface Supervised {
	readonly carrier: Carrier;
	/** undefined: nobody waits for signs of life. */
	readonly watchdogMs: number | undefined;
	readonly now: () => Instant;
}

/** Signs in the time after which the supervisor gives up: two may be lost. */
const SIGNS = 3;

export class Supervisor {
	readonly #supervised: Supervised | undefined;
	#signAt: Instant | undefined;
	#isReady = false;
	#isStopping = false;

	/** undefined: nobody supervises this process, and nothing is said. */
	constructor(supervised: Supervised | undefined) {
		this.#supervised = supervised;
	}

	/** What it is for is so from now on. */
	ready(): void {
		this.#isReady = true;
		this.#supervised?.carrier.say("READY=1");
	}

	/** The safety loop went round. There is no timer in here: a loop that stands still is silent. */
	turned(): void {
		const { carrier, watchdogMs, now } = this.#supervised ?? {};
		if (carrier === undefined || watchdogMs === undefined || now === undefined || !this.#isReady || this.#isStopping) return;
		const at = now();
		if (this.#signAt !== undefined && at - this.#signAt < watchdogMs / SIGNS) return;
		// Signs that wait would arrive later than the turns that they speak of.
		if (carrier.waiting() > 0) return;
		this.#signAt = at;
		carrier.say("WATCHDOG=1");
	}

	stopping(): void {
		if (this.#isStopping) return;
		this.#isStopping = true;
		this.#supervised?.carrier.say("STOPPING=1");
	}
}

/**
 * Node opens no datagram socket of this kind. Whoever is supervised by systemd has systemd-notify, which waits until it was heard before it ends; a shell starts it,
 * because to start a process costs this one a turn of its loop, and a line into a pipe nothing. It outlives the signal that ends the service: the last word is its to say.
 */
const RELAY = 'trap "" TERM INT HUP; while read -r word; do systemd-notify "$word" || exit 1; echo; done';

class Relay implements Carrier {
	readonly #child: ChildProcess;
	#waiting = 0;

	constructor(socket: string, path: string | undefined, failed: (detail: string) => void) {
		this.#child = spawn("/bin/sh", ["-c", RELAY], {
			stdio: ["pipe", "pipe", "pipe"],
			env: { NOTIFY_SOCKET: socket, PATH: path ?? "/usr/local/bin:/usr/bin:/bin" },
		});
		const { stdin, stdout, stderr } = this.#child;
		let said = "";
		stderr?.on("data", (chunk: Buffer) => {
			said = (said + chunk.toString()).slice(-1_000);
		});
		stdout?.on("data", (chunk: Buffer) => {
			this.#waiting = Math.max(0, this.#waiting - chunk.length);
		});
		stdin?.on("error", () => undefined);
		this.#child.once("error", (error) => failed(error.message));
		this.#child.once("close", (code) => failed(said.trim() || `systemd-notify ended with ${code}`));
	}

	say(word: string): void {
		this.#waiting += 1;
		this.#child.stdin?.write(`${word}\n`);
	}

	waiting(): number {
		return this.#waiting;
	}
}

const milliseconds = (usec: string | undefined): number | undefined => {
	const found = Number(usec ?? "");
	return Number.isSafeInteger(found) && found > 0 ? found / 1_000 : undefined;
};

/**
 * Takes what the supervisor said out of `environment`, so that nothing that this process starts speaks in its name.
 * `failed`: it cannot be told; the process goes on, and its supervisor will end it.
 */
export const openSupervisor = (environment: NodeJS.ProcessEnv, failed: (detail: string) => void): Supervisor => {
	const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid, PATH: path } = environment;
	for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete environment[name];
	if (socket === undefined || socket === "") return new Supervisor(undefined);
	const isMine = pid === undefined || pid === String(process.pid);
	return new Supervisor({
		carrier: new Relay(socket, path, failed),
		watchdogMs: isMine ? milliseconds(usec) : undefined,
		now: () => instant(performance.now()),
	});
};
