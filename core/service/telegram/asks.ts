// Connects the asks of the mesh to messages in the admins' chats: sent, counted down, reminded of, and ended without buttons, whatever happened in between.
import type { Clock } from "../../../contracts/time.ts";
import type { KeptChat, Shown } from "./kept-chat.ts";
import type { ChatOutbox } from "./outbox.ts";
import type { Ask, BotApi, ChatDesk, Keyboard } from "./ports.ts";
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
/** The last words of a message are worth trying for this long. */
const END_WITHIN_MS = 24 * HOUR_MS;
const REMIND_BEFORE_MS = 120_000;

const LABELS: Readonly<Record<Verb, string>> = {
	approve: "Approve",
	confirm: "Yes, let it run",
	back: "Back",
	deny: "Deny",
	details: "Details",
	snooze: "Snooze",
};

export class Asks {
	readonly #options: AsksOptions;

	constructor(options: AsksOptions) {
		this.#options = options;
	}

	#keyboard(shown: Pick<Shown, "approval" | "chat" | "boundHash" | "stage">): Keyboard {
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

	/** What was on its way when the process ended may have arrived or not: it is shown anew, and the first tap on the other one takes its buttons away. */
	begin(): Promise<void> {
		return this.#options.kept.change((state) => ({ ...state, shown: state.shown.filter(({ message, stage }) => message !== 0 || stage === "ended") }));
	}

	/** Level-triggered: compares what is asked with what is shown, and says the difference. Called whenever either may have changed. */
	async sync(): Promise<void> {
		const { desk, kept, admins } = this.#options;
		const asks = new Map(desk.asks().map((ask) => [ask.approval, ask]));
		const allowed = new Set(admins());
		for (const shown of kept.state.shown) {
			if (shown.stage === "ended" && shown.message === 0) continue;
			const ask = asks.get(shown.approval);
			if (ask !== undefined && (ask.status !== "open" || !allowed.has(shown.chat))) await this.#end(shown, ask);
			else if (ask === undefined && shown.stage !== "ended") await this.#forget(shown);
			else if (ask !== undefined && shown.stage !== "ended") await this.#remind(shown, ask);
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
		for (const ask of now) await this.show(ask, chat);
		const rest = unseen.slice(now.length);
		if (rest.length > 0) this.#digest(chat, rest);
	}

	readonly #digested = new Map<number, string>();

	#digest(chat: number, rest: readonly Ask[]): void {
		const { api, outbox, clock } = this.#options;
		const key = rest.map(({ approval }) => approval).join(" ");
		if (this.#digested.get(chat) === key) return;
		this.#digested.set(chat, key);
		const untilMs = clock.now() + Math.max(...rest.map(({ decideInMs }) => decideInMs));
		outbox.put({ key: `digest ${chat}`, chat, untilMs, say: async (signal) => void (await api.send(chat, digestText(rest), [], signal)) });
	}

	/** Shows an ask in a chat in a new message; one that showed it before loses its buttons. */
	async show(ask: Ask, chat: number): Promise<void> {
		const { api, desk, kept, outbox, clock } = this.#options;
		const before = kept.shown(ask.approval, chat);
		if (before !== undefined && before.message !== 0 && before.stage !== "ended") this.strip(before.chat, before.message, before.approval);
		const { approval, boundHash } = ask;
		const shown: Shown = { approval, chat, message: 0, boundHash, stage: "ask", text: "", askedEngineMs: desk.engineMs() };
		await kept.show(shown);
		outbox.put({
			key: `ask ${approval} ${chat}`,
			chat,
			// Nothing is delivered after it expired.
			untilMs: clock.now() + ask.decideInMs,
			say: async (signal) => {
				const newest = desk.asks().find((each) => each.approval === approval);
				if (newest?.status !== "open") return;
				const picture = await desk.picture(approval);
				if (picture !== undefined) await api.sendPicture(chat, picture.png, picture.caption, signal);
				if (!fits(newest)) await api.sendFile(chat, `${approval}.txt`, new TextEncoder().encode(wholeAsk(newest)), "All of what is asked", signal);
				const text = askText(newest);
				const message = await api.send(chat, text, this.#keyboard(shown), signal);
				await kept.show({ ...shown, message, text });
				await desk.saw(approval, `telegram:${chat}`);
			},
		});
	}

	/** The message changes its stage, if it still shows this ask. */
	async turn(shown: Shown, ask: Ask, stage: Shown["stage"]): Promise<void> {
		const text = this.#textOf(ask, stage);
		if (shown.stage === stage && shown.text === text) return;
		const next: Shown = { ...shown, stage, text };
		await this.#options.kept.show(next);
		this.#edit(next, stage === "ended" ? END_WITHIN_MS : ask.decideInMs);
	}

	#edit(shown: Shown, withinMs: number): void {
		const { api, outbox, clock } = this.#options;
		if (shown.message === 0) return;
		const { approval, chat, message, text } = shown;
		outbox.put({
			key: `ask ${approval} ${chat}`,
			chat,
			untilMs: clock.now() + withinMs,
			say: (signal) => api.edit(chat, message, text, this.#keyboard(shown), signal),
		});
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
		const next: Shown = { ...shown, stage: "ended", text };
		await this.#options.kept.show(next);
		this.#edit(next, END_WITHIN_MS);
	}

	/** Takes the buttons of a message away. */
	strip(chat: number, message: number, approval: string): void {
		const { api, outbox, clock } = this.#options;
		const say = (signal: AbortSignal): Promise<void> => api.edit(chat, message, `Shown again below. <i>${approval}</i>`, [], signal);
		outbox.put({ key: `strip ${chat} ${message}`, chat, untilMs: clock.now() + END_WITHIN_MS, say });
	}

	/** Asked to come back to it: once, before it expires, and that changes nothing about when it does. */
	async snooze(shown: Shown, ask: Ask): Promise<number> {
		const inMs = Math.max(0, Math.min(ask.decideInMs / 2, ask.decideInMs - REMIND_BEFORE_MS));
		const remindAtEngineMs = this.#options.desk.engineMs() + (inMs === 0 ? ask.decideInMs / 2 : inMs);
		await this.#options.kept.show({ ...shown, remindAtEngineMs });
		return remindAtEngineMs - this.#options.desk.engineMs();
	}

	async #remind(shown: Shown, ask: Ask): Promise<void> {
		const { api, desk, kept, outbox, clock } = this.#options;
		if (shown.remindAtEngineMs === undefined || shown.remindAtEngineMs > desk.engineMs()) return;
		const { remindAtEngineMs: _done, ...rest } = shown;
		await kept.show(rest);
		const { chat, approval } = shown;
		outbox.put({
			key: `remind ${approval} ${chat}`,
			chat,
			untilMs: clock.now() + ask.decideInMs,
			say: async (signal) => void (await api.send(chat, reminderText(ask), [], signal)),
		});
	}
}
