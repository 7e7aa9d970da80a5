// Connects one run of the command line to its surroundings: flags, streams, colours, and the mesh that it asks.
import type { Command } from "commander";
import picocolors from "picocolors";
import { sayDuration } from "../../contracts/time.ts";
import { wrap } from "./layout.ts";
import { findMesh, type MeshClient } from "./mesh-client.ts";

/** What the command line needs of the process that it runs in; tests pass their own. */
export interface Host {
	readonly out: (text: string) => void;
	readonly err: (text: string) => void;
	readonly outIsTty: boolean;
	readonly errIsTty: boolean;
	readonly inIsTty: boolean;
	readonly columns: number;
	readonly env: Readonly<Record<string, string | undefined>>;
	readonly user: string;
	readonly wallMs: () => number;
	/** Keys as they are pressed, and repeated while held; returns how to cease. Absent where there is no terminal. */
	readonly keys?: (onKey: (key: string) => void) => () => void;
	readonly askLine: (question: string) => Promise<string>;
	/** Ctrl-C. */
	readonly interrupted: AbortSignal;
}

export type Paint = ReturnType<typeof picocolors.createColors>;

export interface GlobalFlags {
	readonly data?: string;
	readonly url?: string;
	readonly tokenFile?: string;
	readonly json?: boolean;
	readonly color?: boolean;
	/** Seconds. */
	readonly timeout?: number;
}

const SPINNER_AFTER_MS = 2_000;
const SPINNER_EVERY_MS = 120;
const FRAMES = ["|", "/", "-", "\\"] as const;
const WIDTH_MIN = 40;
/** What is piped is searched, not looked at: nothing is cut or wrapped. */
const WIDTH_WITHOUT_TERMINAL = 10_000;
const TIMEOUT_S = 10;

export class Session {
	readonly host: Host;
	readonly flags: GlobalFlags;
	readonly json: boolean;
	readonly paint: Paint;
	readonly width: number;

	constructor(host: Host, flags: GlobalFlags) {
		this.host = host;
		this.flags = flags;
		this.json = flags.json === true;
		const { NO_COLOR, TERM } = host.env;
		this.paint = picocolors.createColors(host.outIsTty && flags.color !== false && (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb");
		this.width = host.outIsTty ? Math.max(WIDTH_MIN, host.columns) : WIDTH_WITHOUT_TERMINAL;
	}

	/** Finds the running mesh. Faults: NOT_RUNNING, TOKEN_MISSING, USAGE. */
	mesh(): Promise<MeshClient> {
		const { flags, host } = this;
		return findMesh({ ...flags, timeoutMs: (flags.timeout ?? TIMEOUT_S) * 1_000, interrupted: host.interrupted });
	}

	say(text: string): void {
		this.host.out(`${text}\n`);
	}

	/** A sentence, in lines that the terminal can show. */
	tell(text: string): void {
		this.say(wrap(text, this.width, ""));
	}

	/** One versioned JSON document a line. */
	print(value: unknown): void {
		this.host.out(`${JSON.stringify(value)}\n`);
	}

	note(text: string): void {
		this.host.err(`${text}\n`);
	}

	/** Shows that something still goes on, when it takes longer than a person waits without wondering. */
	async waiting<T>(label: () => string, work: Promise<T>): Promise<T> {
		if (!this.host.errIsTty || this.json) return work;
		const beganMs = performance.now();
		let shown = 0;
		const timer = setInterval(() => {
			const elapsedMs = performance.now() - beganMs;
			if (elapsedMs < SPINNER_AFTER_MS) return;
			this.host.err(`\r${FRAMES[shown % FRAMES.length] ?? ""} ${label()} (${sayDuration(elapsedMs)})\u001b[K`);
			shown += 1;
		}, SPINNER_EVERY_MS);
		try {
			return await work;
		} finally {
			clearInterval(timer);
			if (shown > 0) this.host.err("\r\u001b[K");
		}
	}
}

/** What ended with Ctrl-C instead of an answer. */
export class Interrupted extends Error {}

/** Runs one command; its number is the exit code, and Ctrl-C ends it at once. */
export const runIn = async (host: Host, command: Command, work: (session: Session) => Promise<number>): Promise<number> => {
	const interrupted = new Promise<never>((_resolve, reject) => {
		if (host.interrupted.aborted) reject(new Interrupted());
		host.interrupted.addEventListener("abort", () => reject(new Interrupted()), { once: true });
	});
	// Nobody looks at it once the work is done.
	interrupted.catch(() => undefined);
	return Promise.race([work(new Session(host, command.optsWithGlobals<GlobalFlags>())), interrupted]);
};

/** Runs a command that takes back what it made before it ends, also after Ctrl-C. */
export const runToEnd = (host: Host, command: Command, work: (session: Session) => Promise<number>): Promise<number> =>
	work(new Session(host, command.optsWithGlobals<GlobalFlags>()));
