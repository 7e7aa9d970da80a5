// Connects a bot to the mesh: asks become messages, taps become answers, and whatever fails is said, tried again, and holds up nothing else.
import { createHash, randomBytes } from "node:crypto";
import type { RecordTypes } from "../../../contracts/envelope.ts";
import type { Clock } from "../../../contracts/time.ts";
import type { Timers } from "../world.ts";
import { Answers, personOf, type Reply } from "./answers.ts";
import { Asks } from "./asks.ts";
import type { KeptChat } from "./kept-chat.ts";
import { ChatOutbox } from "./outbox.ts";
import { conflicted, lost, polled, UNCLAIMED } from "./polling-claim.ts";
import { type BotApi, type ChatDesk, ChatFault } from "./ports.ts";
import { Refusals, WINDOW_MS } from "./refusals.ts";
import { readUpdate, type Update } from "./sender.ts";
import { safe, visible } from "./words.ts";

export interface ChannelOptions {
	readonly api: BotApi;
	readonly desk: ChatDesk;
	readonly kept: KeptChat;
	readonly clock: Clock;
	readonly timers: Timers;
	/** User ids named in orion.yaml. */
	readonly admins: readonly number[];
	readonly asksPerHour: number;
	/** Number of the bot: the part of its token that is no secret. */
	readonly bot?: string;
	/** How long one question for updates waits, seconds. */
	readonly pollSeconds?: number;
}

const POLL_SECONDS = 25;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** The countdown of open asks is written anew this often. */
const ROUND_EVERY_MS = 15_000;
const REPLY_WITHIN_MS = 120_000;
/** Less than the week after which the count may begin elsewhere. */
const COUNTS_FOR_MS = 6 * 24 * 3_600_000;
const ALERTED_MAX = 100;
const INVITE_FOR_MS = 600_000;
const INVITE_BYTES = 16;

const SAYS: Readonly<Record<ChatFault["kind"], string>> = {
	rate: "Telegram asks to wait",
	down: "Telegram does not answer",
	conflict: "another program polls the same bot, and this core goes on: stop one of them, or use another bot for this mesh",
	unauthorised: "Telegram does not know the bot's token: take a new one from BotFather and put it into the token file",
	gone: "a chat is gone or the bot is blocked there",
	refused: "Telegram refused a message",
	unkept: "what is said in the chat cannot be kept here",
};

const WAITS = "another program polls the same bot, and this core waits until it ends: stop one of them, or use another bot for this mesh";

type Side = "in" | "tap" | "out" | "kept";

const faultOf = (error: unknown): ChatFault =>
	error instanceof ChatFault ? error : new ChatFault("refused", error instanceof Error ? error.message : "unknown");

/** Faults of a moment: gone when the next call goes well. */
const PASSING: readonly ChatFault["kind"][] = ["rate", "down", "conflict"];

const oldestOf = (updates: readonly unknown[]): number | undefined => {
	const ids = updates.flatMap((raw) => readUpdate(raw)?.id ?? []);
	return ids.length === 0 ? undefined : Math.min(...ids);
};

const hashOf = (code: string): string => createHash("sha256").update(`orion-invite/1\n${code}`).digest("hex");

export class TelegramChannel {
	readonly #options: ChannelOptions;
	readonly #outbox: ChatOutbox;
	readonly #asks: Asks;
	readonly #answers: Answers;
	readonly #refusals = new Refusals();
	readonly #closed = new AbortController();
	#running: Promise<unknown> = Promise.resolve();
	/** By what does not work: asking for updates, answering taps, sending, keeping what is shown. */
	readonly #faults = new Map<Side, ChatFault>();
	#claim = UNCLAIMED;
	#username: string | undefined;
	#stopListening: (() => void) | undefined;
	#syncing: Promise<void> | undefined;
	#again = false;

	constructor(options: ChannelOptions) {
		const { api, desk, kept, clock, timers, asksPerHour } = options;
		this.#options = options;
		this.#outbox = new ChatOutbox({ clock, timers, fault: (found) => this.#fault("out", found) });
		this.#asks = new Asks({ api, desk, kept, outbox: this.#outbox, clock, asksPerHour, admins: () => this.#admins() });
		this.#answers = new Answers({ desk, kept, asks: this.#asks });
	}

	#admins(): readonly number[] {
		return [...new Set([...this.#options.admins, ...this.#options.kept.state.invited.map(({ user }) => user)])];
	}

	async start(): Promise<void> {
		const { kept, bot } = this.#options;
		// Another bot counts its updates from another number.
		if (bot !== undefined && kept.state.bot !== bot) await kept.change((state) => ({ ...state, bot, update: state.bot === undefined ? state.update : 0 }));
		await this.#asks.begin();
		this.#stopListening = this.#options.desk.onChange(() => this.#sync());
		this.#running = Promise.all([this.#poll(), this.#rounds()]);
		this.#sync();
	}

	async close(): Promise<void> {
		this.#stopListening?.();
		this.#closed.abort();
		await this.#running;
		await this.#syncing;
		await this.#outbox.close();
		this.#options.desk.notice(undefined);
	}

	/** A link that makes the person who opens it an admin: once, for ten minutes, and only in a private chat. */
	async invite(by: string): Promise<{ readonly link: string; readonly forMs: number }> {
		const { desk, kept, api } = this.#options;
		this.#username ??= (await api.me(AbortSignal.any([this.#closed.signal, AbortSignal.timeout(10_000)]))).username;
		const code = randomBytes(INVITE_BYTES).toString("base64url");
		const invite = { hash: hashOf(code), untilEngineMs: desk.engineMs() + INVITE_FOR_MS, by };
		await kept.change((state) => ({ ...state, invites: [...state.invites.filter(({ untilEngineMs }) => untilEngineMs > desk.engineMs()), invite] }));
		await desk.record("dev.orion.chat.invited.v1", { channel: "telegram", invite: invite.hash.slice(0, 16), by, forMs: INVITE_FOR_MS });
		return { link: `https://t.me/${this.#username}?start=${code}`, forMs: INVITE_FOR_MS };
	}

	/** One comparison at a time, and one more when something changed meanwhile. */
	#sync(): void {
		if (this.#closed.signal.aborted) return;
		this.#again = true;
		this.#syncing ??= (async () => {
			while (this.#again && !this.#closed.signal.aborted) {
				this.#again = false;
				if (this.#options.kept.failed !== undefined) await this.#options.kept.change((state) => state);
				await this.#asks.sync();
			}
		})()
			// A full disk, most of the time: the next round tries again.
			.catch(() => undefined)
			.finally(() => {
				this.#sayKept();
				this.#syncing = undefined;
				// What changed after the last look and before this moment would wait for the next round.
				if (this.#again) this.#sync();
			});
	}

	#fault(side: Side, found: ChatFault | undefined): void {
		if (found === undefined) this.#faults.delete(side);
		else this.#faults.set(side, found);
		const [worst] = this.#faults.values();
		const says = worst?.kind === "conflict" && this.#claim.stage === "looks" ? WAITS : SAYS[worst?.kind ?? "down"];
		const waiting = this.#outbox.waiting === 0 ? "" : `; ${this.#outbox.waiting} messages wait`;
		this.#options.desk.notice(
			worst === undefined
				? undefined
				: `Telegram: ${says} (${visible(worst.message).slice(0, 160)})${waiting}. Approvals work on the page and with: orion approvals`,
		);
	}

	#pause(ms: number): Promise<void> {
		return new Promise((resolve) => {
			if (this.#closed.signal.aborted) return resolve();
			const cancel = this.#options.timers.after(ms, done);
			const closed = this.#closed.signal;
			function done(): void {
				cancel();
				closed.removeEventListener("abort", done);
				resolve();
			}
			closed.addEventListener("abort", done, { once: true });
		});
	}

	/** Time alone ends asks and makes reminders due. */
	async #rounds(): Promise<void> {
		while (!this.#closed.signal.aborted) {
			await this.#pause(ROUND_EVERY_MS);
			this.#sync();
		}
	}

	async #poll(): Promise<void> {
		const { api, clock, pollSeconds = POLL_SECONDS } = this.#options;
		let retryMs = FIRST_RETRY_MS;
		while (!this.#closed.signal.aborted) {
			const beganMs = clock.now();
			try {
				const waitSeconds = this.#claim.unread === undefined ? pollSeconds : 0;
				const updates = await api.updates(await this.#nextUpdate(), waitSeconds, this.#closed.signal);
				const { claim, waitMs, take } = polled(this.#claim, { beganMs, endedMs: clock.now(), oldest: oldestOf(updates) });
				this.#claim = claim;
				this.#reached();
				retryMs = FIRST_RETRY_MS;
				if (take) for (const raw of updates) await this.#take(raw);
				if (waitMs > 0) await this.#pause(waitMs);
			} catch (error) {
				if (this.#closed.signal.aborted) return;
				await this.#pause(this.#unpolled(faultOf(error), retryMs));
				retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
			}
		}
	}

	/** Updates could not be asked for. How long to wait before the next try, milliseconds. */
	#unpolled(found: ChatFault, retryMs: number): number {
		const { claim, waitMs } = found.kind === "conflict" ? conflicted(this.#claim) : { claim: lost(this.#claim), waitMs: Math.max(found.retryAfterMs, retryMs) };
		this.#claim = claim;
		this.#fault("in", found);
		return waitMs;
	}

	/** Telegram answers: what went wrong for a moment, and what nothing waits for any more, is over. */
	#reached(): void {
		const { stage } = this.#claim;
		const isContested = this.#faults.get("in")?.kind === "conflict" && (stage === "looks" || stage === "defends");
		if (!isContested) this.#fault("in", undefined);
		this.#fault("tap", undefined);
		const out = this.#faults.get("out");
		if (out !== undefined && this.#outbox.waiting === 0 && PASSING.includes(out.kind)) this.#fault("out", undefined);
	}

	/** The number from which on updates are asked for. After a week without any, Telegram counts from wherever it likes. */
	async #nextUpdate(): Promise<number> {
		const { kept, desk } = this.#options;
		const { update, updateEngineMs } = kept.state;
		if (update !== 0 && updateEngineMs !== undefined && desk.engineMs() - updateEngineMs > COUNTS_FOR_MS)
			await kept.change((state) => ({ ...state, update: 0, updateEngineMs: desk.engineMs() }));
		return kept.state.update + 1;
	}

	/** One update: it is dealt with when what it led to is durable, so one that a crash interrupted comes again; answers have ids, and count once. */
	async #take(raw: unknown): Promise<void> {
		const { kept, desk } = this.#options;
		const update = readUpdate(raw);
		if (update === undefined || update.id <= kept.state.update) return;
		try {
			await this.#answer(update);
		} catch (error) {
			// One update that cannot be answered must not keep the others waiting; who sent it is told.
			this.#fault("in", faultOf(error));
			const text = "That could not be done just now. See what is so with /status before you try again, or use: orion approvals";
			if (update.kind === "tap") this.#tapSaid(update.tap, text);
			else if (update.kind === "text" && this.#admins().includes(update.user)) this.#say(update.chat, update.id, { say: text });
		}
		// In memory it counts as read in any case, so a full disk does not make it come again and again.
		await kept.change((state) => ({ ...state, update: update.id, updateEngineMs: desk.engineMs() })).catch(() => undefined);
		this.#sayKept();
	}

	#sayKept(): void {
		const { failed } = this.#options.kept;
		this.#fault("kept", failed === undefined ? undefined : new ChatFault("unkept", failed));
	}

	async #answer(update: Update): Promise<void> {
		if (update.kind === "foreign") {
			await this.#refuse(update.reason, update);
			return this.#tapSaid(update.tap, "This does not count.");
		}
		if (update.kind === "text" && (await this.#bind(update))) return;
		if (!this.#admins().includes(update.user)) {
			await this.#refuse("stranger", update);
			if (update.kind === "tap") return this.#tapSaid(update.tap, "You may not answer this.");
			return;
		}
		const reply = update.kind === "tap" ? await this.#answers.tap(update) : await this.#answers.command(update);
		if (reply.refused !== undefined && reply.refused !== "refused-by-core") await this.#refuse(reply.refused, update, reply.approval);
		if (update.kind === "tap") await this.#tapSaid(update.tap, reply.say);
		else this.#say(update.chat, update.id, reply);
		if (reply.file !== undefined) this.#file(update.chat, update.id, reply.file);
	}

	#tapSaid(tap: string | undefined, text: string): void {
		if (tap === undefined) return;
		const { api } = this.#options;
		// Taps are answered beside the queue: a person looks at a turning wheel meanwhile.
		void api.answerTap(tap, text, AbortSignal.any([this.#closed.signal, AbortSignal.timeout(10_000)])).catch((error: unknown) => {
			if (error instanceof ChatFault && error.kind !== "gone") this.#fault("tap", error);
		});
	}

	#say(chat: number, update: number, { say }: Reply): void {
		const { api, clock } = this.#options;
		const key = `reply ${chat} ${update}`;
		this.#outbox.put({ key, chat, untilMs: clock.now() + REPLY_WITHIN_MS, say: async (signal) => void (await api.send(chat, say, [], signal)) });
	}

	#file(chat: number, update: number, { name, text }: { readonly name: string; readonly text: string }): void {
		const { api, clock } = this.#options;
		const bytes = new TextEncoder().encode(visible(text));
		const key = `file ${chat} ${update}`;
		this.#outbox.put({ key, chat, untilMs: clock.now() + REPLY_WITHIN_MS, say: (signal) => api.sendFile(chat, name, bytes, name, signal) });
	}

	/** `/start CODE` of an invitation that is open makes its sender an admin. True if the text was one, good or not. */
	async #bind({ id, text, user, name, chat }: Extract<Update, { readonly kind: "text" }>): Promise<boolean> {
		const code = /^\/start\s+([A-Za-z0-9_-]{8,64})$/.exec(text.trim())?.[1];
		if (code === undefined) return false;
		const { desk, kept } = this.#options;
		const hash = hashOf(code);
		const invite = kept.state.invites.find((each) => each.hash === hash && each.untilEngineMs > desk.engineMs());
		if (invite === undefined) {
			await this.#refuse("invite-unknown", { user, name });
			if (this.#admins().includes(user)) this.#say(chat, id, { say: "This invitation is used or over. A new one: orion approvals invite" });
			return true;
		}
		const admin = { user, name, configured: false };
		await desk.record("dev.orion.chat.bound.v1", {
			channel: "telegram",
			user: String(user),
			name: visible(name) || "somebody",
			invite: hash.slice(0, 16),
			by: invite.by,
		});
		// The record first: nobody answers here of whom the log does not know.
		await kept.change((state) => ({
			...state,
			invites: state.invites.filter((each) => each.hash !== hash),
			invited: [...state.invited.filter((each) => each.user !== user), admin],
		}));
		this.#say(chat, id, { say: `Welcome, ${safe(name)}. You may answer asks here from now on. /help says what else.` });
		this.#sync();
		return true;
	}

	/** Once in ten minutes for each source, also when core was started anew meanwhile. */
	async #mayAlert(source: string): Promise<boolean> {
		const { kept, desk } = this.#options;
		const atEngineMs = desk.engineMs();
		const young = (kept.state.alerted ?? []).filter((each) => atEngineMs - each.atEngineMs < WINDOW_MS);
		if (young.some((each) => each.source === source)) return false;
		await kept.change((state) => ({ ...state, alerted: [...young, { source, atEngineMs }].slice(-ALERTED_MAX) }));
		return true;
	}

	async #refuse(
		reason: RecordTypes["dev.orion.chat.refused.v1"]["reason"],
		{ user, name }: { readonly user?: number; readonly name?: string },
		approval?: string,
	): Promise<void> {
		const { desk, clock, api } = this.#options;
		const shownName = name === undefined ? undefined : visible(name);
		const refused = {
			channel: "telegram" as const,
			reason,
			...(user === undefined ? {} : { user: String(user) }),
			...(shownName === undefined || shownName === "" ? {} : { name: shownName }),
			...(approval === undefined ? {} : { approval }),
		};
		const { record, alert } = this.#refusals.add(refused, desk.engineMs());
		if (record !== undefined) await desk.record("dev.orion.chat.refused.v1", record);
		if (!alert || !(await this.#mayAlert(refused.user ?? "nobody"))) return;
		const who = user === undefined ? "Somebody" : `${personOf(user, shownName ?? "")}`;
		const text = `${safe(who)} was refused here: <b>${reason}</b>. If that was not you, nothing needs to be done: it counts for nothing. I say this once in ten minutes.`;
		for (const chat of this.#admins()) {
			if (chat === user) continue;
			const key = `refused ${user ?? "nobody"} ${chat}`;
			this.#outbox.put({ key, chat, untilMs: clock.now() + REPLY_WITHIN_MS, once: true, say: async (signal) => void (await api.send(chat, text, [], signal)) });
		}
	}
}
