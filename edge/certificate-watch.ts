// Connects a node to the life of its certificate: hears at each connection what core makes of it, asks for a new one in time, and remembers across restarts that it is restricted.
import { OrionError } from "../contracts/errors.ts";
import { isoTime } from "../contracts/time.ts";
import { asksForCertificate, type CertificateNews, type CertificateWord, hearCertificate, isRestricted } from "./machines/certificate.ts";
import type { Connect, KeptFiles, NodeClock, Note, Timers } from "./ports.ts";

export interface HeldCertificate {
	/** Hex. */
	readonly serial: string;
	readonly notAfterWallMs: number;
}

export interface CertificateWatchOptions {
	readonly node: string;
	readonly held: HeldCertificate;
	readonly files: KeptFiles;
	readonly clock: NodeClock;
	readonly timers: Timers;
	readonly note: Note;
	/** Asks core; resolves when the new one is on disk and used from now on. Rejects with OrionError: CERTIFICATE_REVOKED, JOIN_ADDRESS and others. */
	readonly renew: () => Promise<HeldCertificate>;
}

const FILE = "certificate-word.json";
const LOOK_EVERY_MS = 60_000;

/** What was known of this very certificate; of another one, nothing. */
const rememberedWord = (text: string | undefined, { serial }: HeldCertificate): CertificateWord => {
	try {
		const found = JSON.parse(text ?? "{}") as Partial<Record<"serial" | "word", unknown>>;
		return found.serial === serial && (found.word === "expired" || found.word === "revoked") ? found.word : "unheard";
	} catch {
		return "unheard";
	}
};

export class CertificateWatch {
	readonly #options: CertificateWatchOptions;
	#held: HeldCertificate;
	#word: CertificateWord;
	#askedMs: number | undefined;
	#asking = false;
	#listener: (() => void) | undefined;
	#cancel: (() => void) | undefined;
	#writing: Promise<void> = Promise.resolve();

	private constructor(options: CertificateWatchOptions, word: CertificateWord) {
		this.#options = options;
		this.#held = options.held;
		this.#word = word;
	}

	static async open(options: CertificateWatchOptions): Promise<CertificateWatch> {
		return new CertificateWatch(options, rememberedWord(await options.files.read(FILE), options.held));
	}

	get word(): CertificateWord {
		return this.#word;
	}

	get isRestricted(): boolean {
		return isRestricted(this.#word);
	}

	/** Called whenever it becomes restricted, or is no more. */
	onChange(listener: () => void): void {
		this.#listener = listener;
	}

	/** The same connections, and what becomes of the data connection is heard: it is the one that a certificate that is over does not open. */
	over(connect: Connect): Connect {
		return async (options) => {
			const isData = options.clientId === this.#options.node;
			try {
				const connection = await connect(options);
				if (isData) this.#hear("accepted");
				return connection;
			} catch (error) {
				if (isData && error instanceof OrionError && error.fault.code === "CERTIFICATE_REFUSED") {
					this.#hear("refused");
					this.#look();
				}
				throw error;
			}
		};
	}

	start(): void {
		this.#look();
		this.#cancel = this.#options.timers.after(LOOK_EVERY_MS, () => this.start());
	}

	async stop(): Promise<void> {
		this.#cancel?.();
		this.#listener = undefined;
		await this.#writing;
	}

	#look(): void {
		const { clock } = this.#options;
		const view = {
			leftMs: this.#held.notAfterWallMs - clock.wall(),
			clockKnown: clock.quality() !== "unsynced",
			...(this.#askedMs === undefined ? {} : { sinceAskedMs: clock.now() - this.#askedMs }),
		};
		if (this.#asking || !asksForCertificate(this.#word, view)) return;
		this.#asking = true;
		this.#askedMs = clock.now();
		void this.#ask().finally(() => {
			this.#asking = false;
		});
	}

	async #ask(): Promise<void> {
		const { renew, note } = this.#options;
		try {
			this.#held = await renew();
			note("certificate-renewed", { until: isoTime(this.#held.notAfterWallMs) });
			this.#hear("renewed");
		} catch (error) {
			const code = error instanceof OrionError ? error.fault.code : "UNREACHABLE";
			note("certificate-not-renewed", { code, detail: error instanceof Error ? error.message : "unknown" });
			if (code === "CERTIFICATE_REVOKED") this.#hear("revoked");
		}
	}

	#hear(news: CertificateNews): void {
		const before = this.#word;
		this.#word = hearCertificate(before, news);
		if (this.#word === before) return;
		if (this.isRestricted || isRestricted(before)) this.#remember();
		if (this.isRestricted === isRestricted(before)) return;
		this.#options.note(this.isRestricted ? "restricted" : "restricted-no-more", { certificate: this.#word });
		this.#listener?.();
	}

	/** A node that starts without its core must know that it may do nothing alone. */
	#remember(): void {
		const { files, note } = this.#options;
		const text = `${JSON.stringify({ schema: "orion.certificate-word/1", serial: this.#held.serial, word: this.#word })}\n`;
		const write = () => files.write(FILE, text, "plain");
		this.#writing = this.#writing
			.then(write, write)
			.catch((error: unknown) => note("certificate-word-failed", { detail: error instanceof Error ? error.message : "unknown" }));
	}
}
