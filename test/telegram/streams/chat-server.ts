// Plays Telegram's side of the Bot API in virtual time, behind the port that the library stands behind: updates with offsets, keyboards, edits, faults; it remembers what every message ever showed.
import { type BotApi, type Button, ChatFault, type ChatFaultKind, type Keyboard } from "../../../core/service/telegram/ports.ts";
import type { Chance } from "../../simulation/chance.ts";
import type { VirtualTime } from "../../support/world.ts";
import type { ProcessLife } from "./process-life.ts";

export interface Message {
	readonly id: number;
	readonly chat: number;
	html: string;
	buttons: readonly Button[];
	/** Every button that it ever showed. */
	readonly ever: Map<string, string>;
	readonly sentMs: number;
	/** Since when it had buttons. */
	buttonsMs?: number;
}

interface Waiting {
	readonly id: number;
	readonly raw: object;
	/** Sent again although it was confirmed. */
	readonly again: boolean;
}

export class ChatServer {
	readonly messages: Message[] = [];
	readonly byId = new Map<number, Message>();
	/** How often a tap was answered. */
	readonly answered = new Map<string, number>();
	/** Updates that the bot confirmed by asking for later ones, and when. */
	readonly confirmedMs = new Map<number, number>();
	/** Updates that were handed out behind a later one. */
	readonly overtaken = new Set<number>();
	readonly #time: VirtualTime;
	readonly #chance: Chance;
	#waiting: Waiting[] = [];
	#nextUpdate = 1;
	#nextMessage = 1;
	#fault: { kind: ChatFaultKind | "lost"; times: number } | undefined;
	#wake: (() => void) | undefined;
	/** Shares of answers to a question for updates. */
	duplicated = 0;
	shuffled = 0;
	/** Told of each keyboard as the bot asks for it, before anybody sees it. */
	onKeyboard: (html: string) => void = () => undefined;

	constructor(time: VirtualTime, chance: Chance) {
		this.#time = time;
		this.#chance = chance;
	}

	push(update: object): number {
		const id = this.#nextUpdate++;
		this.#waiting.push({ id, raw: { update_id: id, ...update }, again: false });
		this.#wake?.();
		return id;
	}

	/** An update once more, under its own number. */
	again(id: number, update: object): void {
		this.#waiting.push({ id, raw: { update_id: id, ...update }, again: true });
		this.#wake?.();
	}

	/** The next calls fail; `lost`: they have their effect, and nobody hears of it. */
	fail(kind: ChatFaultKind | "lost", times: number): void {
		this.#fault = { kind, times };
	}
	heal(): void {
		this.#fault = undefined;
		this.duplicated = 0;
		this.shuffled = 0;
	}

	/** A number that no message has. */
	get unknownMessage(): number {
		return this.#nextMessage + 1_000;
	}

	/** The Bot API as one process of the bot sees it. */
	connect(life: ProcessLife): BotApi {
		const call = <T>(signal: AbortSignal, effect: () => T): Promise<T> => life.call(() => this.#call(signal, effect));
		return {
			me: (signal) => call(signal, () => ({ id: 1, username: "orion_test_bot" })),
			updates: (offset, waitSeconds, signal) => life.call(() => this.#updates(offset, waitSeconds, signal)),
			send: (chat, html, keyboard, signal) => call(signal, () => this.#send(chat, html, keyboard)),
			edit: (chat, message, html, keyboard, signal) => {
				if (keyboard.length > 0) this.onKeyboard(html);
				return call(signal, () => this.#edit(chat, message, html, keyboard));
			},
			answerTap: (tap, _text, signal) => call(signal, () => void this.answered.set(tap, (this.answered.get(tap) ?? 0) + 1)),
			sendFile: (chat, name, _bytes, _caption, signal) => call(signal, () => void this.#send(chat, `file ${name}`, [])),
			sendPicture: (chat, _png, caption, signal) => call(signal, () => void this.#send(chat, `picture ${caption}`, [])),
		};
	}

	#pause(ms: number, signal: AbortSignal): Promise<void> {
		return new Promise((resolve, reject) => {
			const gone = (): void => {
				cancel();
				reject(new ChatFault("down", "no answer in time"));
			};
			const cancel = this.#time.after(ms, () => {
				signal.removeEventListener("abort", gone);
				resolve();
			});
			if (signal.aborted) gone();
			else signal.addEventListener("abort", gone, { once: true });
		});
	}

	async #call<T>(signal: AbortSignal, effect: () => T): Promise<T> {
		await this.#pause(this.#chance.whole(1, 60), signal);
		const fault = this.#fault;
		if (fault !== undefined) {
			fault.times -= 1;
			if (fault.times <= 0) this.#fault = undefined;
			if (fault.kind === "lost") effect();
			throw new ChatFault(fault.kind === "lost" ? "down" : fault.kind, "simulated", fault.kind === "rate" ? 3_000 : 0);
		}
		const answer = effect();
		await this.#pause(this.#chance.whole(1, 60), signal);
		return answer;
	}

	#taken(offset: number): readonly object[] {
		for (const { id } of this.#waiting) if (id < offset && !this.confirmedMs.has(id)) this.confirmedMs.set(id, this.#time.nowMs);
		this.#waiting = this.#waiting.filter(({ id, again }) => again || id >= offset);
		const now = [...this.#waiting];
		this.#waiting = this.#waiting.filter(({ again }) => !again);
		if (this.#chance.hits(this.shuffled)) now.sort(() => (this.#chance.hits(0.5) ? 1 : -1));
		now.forEach(({ id }, index) => {
			if (now.slice(0, index).some((before) => before.id > id)) this.overtaken.add(id);
		});
		return now.flatMap(({ raw }) => (this.#chance.hits(this.duplicated) ? [raw, raw] : [raw]));
	}

	async #updates(offset: number, waitSeconds: number, signal: AbortSignal): Promise<readonly object[]> {
		await this.#call(signal, () => undefined);
		const found = this.#taken(offset);
		if (found.length > 0) return found;
		await new Promise<void>((resolve) => {
			const done = (): void => {
				cancel();
				signal.removeEventListener("abort", done);
				if (this.#wake === done) this.#wake = undefined;
				resolve();
			};
			const cancel = this.#time.after(waitSeconds * 1_000, done);
			signal.addEventListener("abort", done, { once: true });
			this.#wake = done;
		});
		return this.#taken(offset);
	}

	#send(chat: number, html: string, keyboard: Keyboard): number {
		const id = this.#nextMessage++;
		const message: Message = { id, chat, html, buttons: [], ever: new Map(), sentMs: this.#time.nowMs };
		this.messages.push(message);
		this.byId.set(id, message);
		this.#show(message, keyboard);
		return id;
	}

	#edit(chat: number, id: number, html: string, keyboard: Keyboard): void {
		const message = this.byId.get(id);
		if (message?.chat !== chat) throw new ChatFault("gone", "message to edit not found");
		message.html = html;
		this.#show(message, keyboard);
	}

	#show(message: Message, keyboard: Keyboard): void {
		const buttons = keyboard.flat();
		for (const { text, data } of buttons) {
			if (Buffer.byteLength(data) > 64) throw new ChatFault("refused", "BUTTON_DATA_INVALID");
			message.ever.set(data, text);
		}
		message.buttons = buttons;
		if (buttons.length > 0) message.buttonsMs ??= this.#time.nowMs;
	}
}
