// Connects the page to core: the session, questions, changes, and the stream that says when to ask again; knows when it knows nothing.
import type { SessionAnswer } from "./answers.ts";

/** waiting: not asked yet. live: what is shown is so. lost: it was so. over: core answers, but not to this browser. */
export type LinkState = "waiting" | "live" | "lost" | "over";

/** Something core refused, in its own words. */
export class Refused extends Error {
	readonly status: number;
	readonly code: string;
	constructor(status: number, code: string, text: string) {
		super(text);
		this.status = status;
		this.code = code;
	}
}

const BEAT_S = 2;
/** This long without a beat, and what is shown may be wrong. */
const STALE_AFTER_MS = 6_000;
const ANSWER_WITHIN_MS = 10_000;
const RETRY_MS = [500, 1_000, 2_000, 4_000] as const;
const OVER_RETRY_MS = 3_000;
/** A burst of records is one change to look at. */
const GATHER_MS = 250;
const WATCHED =
	"incident,decision,action,approval,outcome,breaker,person,level,node.state,node.about,node.added,node.removed,process,alert,policy,quarantine,engine,safety,stop,log";
const KEY = "orion-page-key";

const faultIn = async (response: Response): Promise<Refused> => {
	const body = (await response.json().catch(() => undefined)) as { readonly error?: { readonly code?: string; readonly text?: string } } | undefined;
	return new Refused(response.status, body?.error?.code ?? "UNKNOWN", body?.error?.text ?? `core answers ${response.status}`);
};

const request = async (method: string, path: string, body?: unknown): Promise<unknown> => {
	const response = await fetch(path, {
		method,
		signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
		headers: {
			...(body === undefined ? {} : { "content-type": "application/json" }),
			...(method === "GET" ? {} : { "x-orion-page": localStorage.getItem(KEY) ?? "" }),
		},
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
	if (!response.ok) throw await faultIn(response);
	return response.json();
};

export interface CoreLinkOptions {
	/** Asks for everything that is shown; the answer's rev is where the stream goes on. */
	readonly load: () => Promise<number>;
	/** Asks only for what changes without a record: how old everything is. */
	readonly loadAges: () => Promise<void>;
	readonly onState: (state: LinkState, why: string) => void;
}

export class CoreLink {
	readonly #options: CoreLinkOptions;
	#stream: EventSource | undefined;
	#heardMs = performance.now();
	#failures = 0;
	#gathering = false;
	#again: ReturnType<typeof setTimeout> | undefined;
	state: LinkState = "waiting";
	by = "page";

	constructor(options: CoreLinkOptions) {
		this.#options = options;
	}

	get<T>(path: string): Promise<T> {
		return request("GET", path) as Promise<T>;
	}

	post<T>(path: string, body: unknown): Promise<T> {
		return request("POST", path, body) as Promise<T>;
	}

	/** How long ago core was heard. */
	get silentMs(): number {
		return performance.now() - this.#heardMs;
	}

	/** Takes the link that the page was opened with, if any, then follows core for ever. */
	async start(): Promise<void> {
		setInterval(() => {
			if (this.state === "live" && this.silentMs > STALE_AFTER_MS) this.#lose();
		}, 1_000);
		// A browser that wakes from sleep must not show an hour ago as now.
		document.addEventListener("visibilitychange", () => {
			if (document.visibilityState === "visible" && this.state === "live" && this.silentMs > STALE_AFTER_MS) this.#lose();
		});
		const link = new URLSearchParams(location.search).get("link");
		if (link !== null) {
			// Used up or not, it has no business in the history of this browser.
			history.replaceState(null, "", "/");
			const failed = await this.#redeem(link);
			if (failed !== undefined) return this.#over(failed);
		}
		await this.#follow();
	}

	async #redeem(link: string): Promise<string | undefined> {
		try {
			const opened = (await request("POST", "/session", { link })) as SessionAnswer;
			if (opened.key !== undefined) localStorage.setItem(KEY, opened.key);
			return undefined;
		} catch (error) {
			// Somebody who reloads a page that is open already needs no new link.
			if (error instanceof Refused && (await this.#isKnown())) return undefined;
			return error instanceof Refused ? error.message : "core does not answer";
		}
	}

	async #isKnown(): Promise<boolean> {
		return request("GET", "/session").then(
			() => true,
			() => false,
		);
	}

	/** What is so now, then what changes: also after core was away, without a gap between the two. */
	async #follow(): Promise<void> {
		try {
			this.by = ((await request("GET", "/session")) as SessionAnswer).by;
			const rev = await this.#options.load();
			this.#heard();
			this.#open(rev + 1);
		} catch (error) {
			if (error instanceof Refused && error.status === 401) return this.#over(error.message);
			this.#lose();
		}
	}

	#open(from: number): void {
		this.#stream?.close();
		const stream = new EventSource(`/events?from=${from}&beat=${BEAT_S}&types=${WATCHED}`);
		this.#stream = stream;
		stream.onopen = () => this.#heard();
		stream.addEventListener("beat", () => {
			this.#heard();
			if (document.visibilityState === "visible") void this.#guarded(this.#options.loadAges());
		});
		stream.onmessage = () => {
			this.#heard();
			void this.#changed();
		};
		stream.addEventListener("reset", () => this.#lose());
		stream.onerror = () => this.#lose();
	}

	#heard(): void {
		this.#heardMs = performance.now();
		this.#failures = 0;
		this.#set("live", "");
	}

	/** Asks again at once, and so after each decision of a person. */
	refresh(): Promise<void> {
		return this.#guarded(this.#options.load());
	}

	async #guarded(asked: Promise<unknown>): Promise<void> {
		try {
			await asked;
		} catch (error) {
			if (error instanceof Refused && error.status === 401) this.#over(error.message);
			else this.#lose();
		}
	}

	async #changed(): Promise<void> {
		if (this.#gathering) return;
		this.#gathering = true;
		await new Promise((resolve) => {
			setTimeout(resolve, GATHER_MS);
		});
		this.#gathering = false;
		await this.refresh();
	}

	#lose(): void {
		const waitMs = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)] ?? 4_000;
		this.#failures += 1;
		this.#leave("lost", "", waitMs);
	}

	/** Core is there but does not know this browser: asked again now and then, because another tab may have used a link. */
	#over(why: string): void {
		this.#leave("over", why, OVER_RETRY_MS);
	}

	#leave(state: LinkState, why: string, waitMs: number): void {
		this.#stream?.close();
		this.#stream = undefined;
		if (this.#again === undefined)
			this.#again = setTimeout(() => {
				this.#again = undefined;
				void this.#follow();
			}, waitMs);
		this.#set(state, why);
	}

	#set(state: LinkState, why: string): void {
		this.state = state;
		this.#options.onState(state, why);
	}
}
