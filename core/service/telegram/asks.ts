// Connects the asks of the mesh to messages in the admins' chats: sent, counted down, reminded of, and ended without buttons, whatever happened in between.
import type { Clock } from "../../../contracts/time.ts";
import { type KeptChat, type Shown, type Stale, withShown, withStale } from "./kept-chat.ts";
import { type ChatOutbox, TIME_OVER } from "./outbox.ts";
import { type Ask, type BotApi, type ChatDesk, ChatFault, type Keyboard } from "./ports.ts";
import { tapData, type Verb } from "./taps.ts";
import { askText, confirmText, digestText, endText, fits, reminderText, wholeAsk } from "./words.ts";

export interface AsksOptions {
	readonly api: BotApi;
	readonly desk: ChatDesk;
	readonly kept: KeptChat;
	readonly outbox: ChatOutbox;
	readonly clock: Clock;
	/** User ids of the admins; a private chat has its person's id. */
	readonly admins: () => readonly number[];
	readonly asksPerHour: number;
}

const HOUR_MS = 3_600_000;
/** The last words of a message are tried for so long at a time. */
const END_WITHIN_MS = 24 * HOUR_MS;
/** What is too much for an hour is told of no more often. */
const DIGEST_EVERY_MS = 120_000;
const REMIND_BEFORE_MS = 120_000;

const LABELS: Readonly<Record<Verb, string>> = {
	approve: "Approve",
	confirm: "Yes, let it run",
	back: "Back",
	deny: "Deny",
	details: "Details",
	snooze: "Snooze",
};

/** It can still be answered. */
const isOpen = (ask: Ask | undefined): ask is Ask => ask?.status === "open" && ask.decideInMs > 0;

/** A message that its reader deleted needs no other words. */
const edited = async (edit: Promise<void>): Promise<void> => {
	try {
		await edit;
	} catch (error) {
		if (!(error instanceof ChatFault && error.kind === "gone")) throw error;
	}
};

export class Asks {
	readonly #options: AsksOptions;

	constructor(options: AsksOptions) {
		this.#options = options;
	}

	#keyboard(shown: Pick<Shown, "approval" | "chat" | "message" | "boundHash" | "stage">): Keyboard {
		const { kept } = this.#options;
		const button = (verb: Verb) => ({ text: LABELS[verb], data: tapData(kept.key, { ...shown, verb }) });
		if (shown.stage === "ended") return [];
		return shown.stage === "confirm"
			? [[button("confirm"), button("deny")], [button("back")]]
			: [
					[button("approve"), button("deny")],
					[button("details"), button("snooze")],
				];
	}

	#textOf(ask: Ask, stage: Shown["stage"]): string {
		return stage === "ended" ? endText(ask) : stage === "confirm" ? confirmText(ask) : askText(ask);
	}

	/**
	 * What was on its way when the process ended is said again: a message without a number never got buttons, so it is sent anew;
	 * one with a number is made to read as it should.
	 */
	async begin(): Promise<void> {
		const { kept } = this.#options;
		await kept.change((state) => ({ ...state, shown: state.shown.filter(({ message, stage }) => message !== 0 || stage === "ended") }));
		for (const shown of kept.state.shown) if (shown.due === true) this.#edit(shown, END_WITHIN_MS);
		for (const stale of kept.state.stale ?? []) this.#unbutton(stale);
	}

	/** Level-triggered: compares what is asked with what is shown, and says the difference. Called whenever either may have changed. */
	async sync(): Promise<void> {
		const { desk, kept, admins } = this.#options;
		const asks = new Map(desk.asks().map((ask) => [ask.approval, ask]));
		const allowed = new Set(admins());
		for (const { approval, chat } of kept.state.shown) {
			// As it is now: a tap may have changed it while another message was dealt with.
			const shown = kept.shown(approval, chat);
			if (shown === undefined || (shown.stage === "ended" && shown.message === 0)) continue;
			const ask = asks.get(approval);
			if (ask !== undefined && (ask.status !== "open" || !allowed.has(chat))) await this.#end(shown, ask);
			else if (ask === undefined && shown.stage !== "ended") await this.#forget(shown);
			else if (ask !== undefined && shown.stage !== "ended") await this.#goOn(shown, ask);
		}
		const open = [...asks.values()].filter(({ status }) => status === "open");
		for (const chat of allowed) await this.#offer(chat, open);
	}

	/** Sends what this chat has not seen, up to the hour's number; the rest waits in one digest. */
	async #offer(chat: number, open: readonly Ask[]): Promise<void> {
		const { desk, kept, asksPerHour } = this.#options;
		const nowMs = desk.engineMs();
		if (kept.state.muted.some(({ user, untilEngineMs }) => user === chat && untilEngineMs > nowMs)) return;
		const unseen = open.filter(({ approval }) => kept.shown(approval, chat) === undefined);
		const sent = kept.state.shown.filter((shown) => shown.chat === chat && nowMs - shown.askedEngineMs < HOUR_MS).length;
		const now = unseen.slice(0, Math.max(0, asksPerHour - sent));
		for (const ask of now) if (kept.shown(ask.approval, chat) === undefined) await this.show(ask, chat);
		const rest = unseen.slice(now.length);
		if (rest.length > 0) this.#digest(chat, rest);
	}

	readonly #digested = new Map<number, { readonly asks: ReadonlySet<string>; readonly atMs: number }>();

	/** Told anew where there is more than was told of; that one of them has ended is no news. */
	#digest(chat: number, rest: readonly Ask[]): void {
		const { api, outbox, clock, desk } = this.#options;
		const before = this.#digested.get(chat);
		const atMs = desk.engineMs();
		if (before !== undefined && (atMs - before.atMs < DIGEST_EVERY_MS || rest.every(({ approval }) => before.asks.has(approval)))) return;
		this.#digested.set(chat, { asks: new Set(rest.map(({ approval }) => approval)), atMs });
		const untilMs = clock.now() + Math.max(...rest.map(({ decideInMs }) => decideInMs));
		outbox.put({ key: `digest ${chat}`, chat, untilMs, say: async (signal) => void (await api.send(chat, digestText(rest), [], signal)) });
	}

	/** Shows an ask in a chat in a new message; one that showed it before loses its buttons. */
	async show(ask: Ask, chat: number): Promise<void> {
		const { desk, kept, outbox, clock } = this.#options;
		const before = kept.shown(ask.approval, chat);
		const { approval, boundHash } = ask;
		const { remindAtEngineMs, reminded } = before ?? {};
		const again = { ...(remindAtEngineMs === undefined ? {} : { remindAtEngineMs }), ...(reminded === undefined ? {} : { reminded }) };
		const shown: Shown = { approval, chat, message: 0, boundHash, stage: "ask", text: "", askedEngineMs: desk.engineMs(), ...again };
		const stale = before !== undefined && before.message !== 0 && before.stage !== "ended" ? before : undefined;
		// In one change: the message before is forgotten as the one to answer and remembered as one to take the buttons from.
		const replaced = kept.change((state) => withShown(stale === undefined ? state : withStale(state, stale), shown));
		if (stale !== undefined) this.#unbutton(stale);
		await replaced;
		outbox.put({
			key: `ask ${approval} ${chat}`,
			chat,
			// Nothing is delivered after it expired.
			untilMs: clock.now() + ask.decideInMs,
			say: (signal) => this.#send(shown, signal),
		});
	}

	/** In two steps, each of which may be repeated: a message gets its buttons when its number is on disk, so none with buttons is ever forgotten. */
	async #send(asked: Shown, signal: AbortSignal): Promise<void> {
		const { desk, kept } = this.#options;
		const { approval, chat } = asked;
		const ask = desk.asks().find((each) => each.approval === approval);
		const now = kept.shown(approval, chat);
		if (!isOpen(ask) || now?.stage !== "ask" || now.askedEngineMs !== asked.askedEngineMs) return;
		if (now.message === 0) {
			const text = askText(ask);
			const message = await this.#sendAll(ask, chat, text, signal);
			const then = kept.shown(approval, chat);
			// Shown again or over meanwhile: what was sent just now has no buttons, and gets none.
			if (then !== now) return;
			await kept.show({ ...now, message, text, due: true });
			await desk.saw(approval, `telegram:${chat}`);
		}
		const sent = kept.shown(approval, chat);
		if (sent !== undefined && sent.message !== 0) await this.#write(sent, signal);
	}

	/** The ask with what belongs to it: its picture, and a file for what does not fit. Resolves with the message's number. */
	async #sendAll(ask: Ask, chat: number, text: string, signal: AbortSignal): Promise<number> {
		const { api, desk } = this.#options;
		const picture = await desk.picture(ask.approval);
		if (picture !== undefined) await api.sendPicture(chat, picture.png, picture.caption, signal);
		if (!fits(ask)) await api.sendFile(chat, `${ask.approval}.txt`, new TextEncoder().encode(wholeAsk(ask)), "All of what is asked", signal);
		return api.send(chat, text, [], signal);
	}

	/** Makes the message read as it should, and keeps that it does. */
	async #write(shown: Shown, signal: AbortSignal): Promise<void> {
		const { api, desk, kept } = this.#options;
		// Over while it waited: the words of its end follow, and no button is shown meanwhile.
		if (shown.stage !== "ended" && !isOpen(desk.asks().find(({ approval }) => approval === shown.approval))) return;
		await edited(api.edit(shown.chat, shown.message, shown.text, this.#keyboard(shown), signal));
		if (kept.shown(shown.approval, shown.chat) !== shown) return;
		const { due: _done, ...rest } = shown;
		await kept.show(rest);
	}

	/** The message changes its stage, if it still shows this ask. */
	async turn(shown: Shown, ask: Ask, stage: Shown["stage"]): Promise<void> {
		const text = this.#textOf(ask, stage);
		if (shown.stage === stage && shown.text === text) return;
		const next: Shown = { ...shown, stage, text, due: true };
		await this.#options.kept.show(next);
		this.#edit(next, stage === "ended" ? END_WITHIN_MS : ask.decideInMs);
	}

	#edit(shown: Shown, withinMs: number): void {
		const { outbox, clock, kept } = this.#options;
		if (shown.message === 0) return;
		const { approval, chat } = shown;
		// However long Telegram takes no edits: a message that is over loses its buttons in the end.
		const dropped = (why: string): void => {
			const now = kept.shown(approval, chat);
			if (why === TIME_OVER && now?.stage === "ended" && now.due === true) this.#edit(now, END_WITHIN_MS);
		};
		outbox.put({ key: `ask ${approval} ${chat}`, chat, untilMs: clock.now() + withinMs, say: (signal) => this.#write(shown, signal), dropped });
	}

	async #end(shown: Shown, ask: Ask): Promise<void> {
		if (shown.message === 0) {
			// It was not, or not surely, delivered: what still waits is not said any more.
			if (shown.stage !== "ended") await this.#options.kept.show({ ...shown, stage: "ended" });
			return;
		}
		await this.turn(shown, ask.status === "open" ? { ...ask, status: "void" } : ask, "ended");
	}

	/** An ask that is so old that the mesh does not list it any more. */
	async #forget(shown: Shown): Promise<void> {
		const text = `This is over. <i>${shown.approval}</i>`;
		const next: Shown = { ...shown, stage: "ended", text, due: true };
		await this.#options.kept.show(next);
		this.#edit(next, END_WITHIN_MS);
	}

	/** Takes the buttons of a message away, and is kept until that is done. */
	async strip(stale: Stale): Promise<void> {
		const written = this.#options.kept.change((state) => withStale(state, stale));
		this.#unbutton(stale);
		await written;
	}

	#unbutton(stale: Stale): void {
		const { approval, chat, message } = stale;
		const { api, outbox, clock, kept } = this.#options;
		const say = async (signal: AbortSignal): Promise<void> => {
			await edited(api.edit(chat, message, `Shown again below. <i>${approval}</i>`, [], signal));
			await kept.change((state) => ({ ...state, stale: (state.stale ?? []).filter((each) => each.chat !== chat || each.message !== message) }));
		};
		const dropped = (why: string): void => {
			if (why === TIME_OVER) this.#unbutton(stale);
		};
		outbox.put({ key: `strip ${chat} ${message}`, chat, untilMs: clock.now() + END_WITHIN_MS, say, dropped });
	}

	/** Asked to come back to it: once, before it expires, and that changes nothing about when it does. How long until then, milliseconds; undefined: it was. */
	async snooze(shown: Shown, ask: Ask): Promise<number | undefined> {
		const { desk, kept } = this.#options;
		if (shown.reminded === true) return undefined;
		const inMs = Math.max(0, Math.min(ask.decideInMs / 2, ask.decideInMs - REMIND_BEFORE_MS));
		const remindAtEngineMs = shown.remindAtEngineMs ?? desk.engineMs() + (inMs === 0 ? ask.decideInMs / 2 : inMs);
		await kept.show({ ...shown, remindAtEngineMs });
		return Math.max(0, remindAtEngineMs - desk.engineMs());
	}

	/** An open ask: its countdown is written anew, and it is come back to where a person wanted that. */
	async #goOn(shown: Shown, ask: Ask): Promise<void> {
		const { desk, kept } = this.#options;
		if (shown.remindAtEngineMs === undefined || shown.remindAtEngineMs > desk.engineMs()) return this.#count(shown, ask);
		const { remindAtEngineMs: _done, ...rest } = shown;
		const next: Shown = { ...rest, reminded: true };
		await kept.show(next);
		this.#remind(next, ask);
	}

	async #count(shown: Shown, ask: Ask): Promise<void> {
		if (shown.message !== 0) await this.turn(shown, ask, shown.stage);
	}

	#remind({ chat, approval }: Shown, ask: Ask): void {
		const { api, outbox, clock } = this.#options;
		outbox.put({
			key: `remind ${approval} ${chat}`,
			chat,
			untilMs: clock.now() + ask.decideInMs,
			say: async (signal) => void (await api.send(chat, reminderText(ask), [], signal)),
		});
	}
}
