// Connects tests to a Telegram channel in virtual time: hours pass in a moment, and what is seen does not depend on how fast the machine is.
import { instant, wallTime } from "../../contracts/time.ts";
import { TelegramChannel } from "../../core/service/telegram/channel.ts";
import { KeptChat } from "../../core/service/telegram/kept-chat.ts";
import { type Ask, type BotApi, type Button, ChatFault, type Keyboard } from "../../core/service/telegram/ports.ts";
import { settle, VirtualTime } from "../support/world.ts";
import { ANNA, DeskRig, MemoryFiles } from "./rig.ts";

const DAY_MS = 86_400_000;
const LATENCY_MS = 50;

export interface VirtualMessage {
	readonly id: number;
	readonly html: string;
	readonly buttons: readonly Button[];
	readonly sentMs: number;
	/** Every text that it ever had, with when. */
	readonly texts: readonly { readonly html: string; readonly atMs: number }[];
}

/** Telegram behind the port that the library stands behind. */
class VirtualTelegram {
	readonly time: VirtualTime;
	readonly messages: VirtualMessage[] = [];
	readonly tapAnswers = new Map<string, string>();
	/** From which update on the newest question asked. */
	offset = 0;
	nextUpdate = 1;
	/** Methods that fail, and how. */
	readonly failing = new Map<"updates" | "send" | "edit", ChatFault>();
	#updates: { readonly update_id: number }[] = [];
	#wake: (() => void) | undefined;

	constructor(time: VirtualTime) {
		this.time = time;
	}

	push(update: object): number {
		const id = this.nextUpdate++;
		this.#updates.push({ update_id: id, ...update });
		this.#wake?.();
		return id;
	}

	#pass(ms: number, signal: AbortSignal, wakes = false): Promise<void> {
		return new Promise((resolve, reject) => {
			if (signal.aborted) return reject(new ChatFault("down", "aborted"));
			const over = (): void => {
				cancel();
				signal.removeEventListener("abort", aborted);
				if (wakes) this.#wake = undefined;
			};
			const done = (): void => {
				over();
				resolve();
			};
			const aborted = (): void => {
				over();
				reject(new ChatFault("down", "aborted"));
			};
			const cancel = this.time.after(ms, done);
			signal.addEventListener("abort", aborted);
			if (wakes) this.#wake = done;
		});
	}

	async #call(method: "updates" | "send" | "edit", signal: AbortSignal): Promise<void> {
		await this.#pass(LATENCY_MS, signal);
		const fault = this.failing.get(method);
		if (fault !== undefined) throw fault;
	}

	async #say(html: string, keyboard: Keyboard, signal: AbortSignal): Promise<number> {
		await this.#call("send", signal);
		const sentMs = this.time.nowMs;
		this.messages.push({ id: this.messages.length + 1, html, buttons: keyboard.flat(), sentMs, texts: [{ html, atMs: sentMs }] });
		return this.messages.length;
	}

	readonly api: BotApi = {
		me: () => Promise.resolve({ id: 1, username: "orion_test_bot" }),
		updates: async (offset, waitSeconds, signal) => {
			await this.#call("updates", signal);
			this.offset = offset;
			this.#updates = this.#updates.filter(({ update_id: id }) => id >= offset);
			if (this.#updates.length === 0 && waitSeconds > 0) await this.#pass(waitSeconds * 1_000, signal, true);
			return [...this.#updates];
		},
		send: (_chat, html, keyboard, signal) => this.#say(html, keyboard, signal),
		edit: async (_chat, message, html, keyboard, signal) => {
			await this.#call("edit", signal);
			const before = this.messages[message - 1];
			if (before === undefined) throw new ChatFault("gone", "message to edit not found");
			this.messages[message - 1] = { ...before, html, buttons: keyboard.flat(), texts: [...before.texts, { html, atMs: this.time.nowMs }] };
		},
		answerTap: async (tap, text) => void this.tapAnswers.set(tap, text),
		sendFile: async (_chat, name, _bytes, _caption, signal) => void (await this.#say(name, [], signal)),
		sendPicture: async (_chat, _png, caption, signal) => void (await this.#say(caption, [], signal)),
	};
}

/** A mesh whose asks run out as time passes, and are no longer listed a day later. */
class VirtualDesk extends DeskRig {
	readonly #time: VirtualTime;
	readonly #untilMs = new Map<string, number>();
	/** Engine time that passed while nobody looked. */
	skippedMs = 0;

	constructor(time: VirtualTime) {
		super();
		this.#time = time;
	}
	override engineMs(): number {
		return this.#time.nowMs + this.skippedMs;
	}
	override ask(change: Partial<Ask> = {}): Ask {
		const ask = super.ask(change);
		this.#untilMs.set(ask.approval, this.engineMs() + ask.decideInMs);
		return ask;
	}
	override asks(): readonly Ask[] {
		return this.list.flatMap((ask) => {
			const leftMs = (this.#untilMs.get(ask.approval) ?? this.engineMs() + ask.decideInMs) - this.engineMs();
			if (leftMs < -DAY_MS) return [];
			if (ask.status !== "open") return [{ ...ask, decideInMs: 0 }];
			return [leftMs > 0 ? { ...ask, decideInMs: leftMs } : { ...ask, status: "expired" as const, decideInMs: 0 }];
		});
	}
}

export class VirtualChat {
	readonly time = new VirtualTime();
	readonly telegram = new VirtualTelegram(this.time);
	readonly desk = new VirtualDesk(this.time);
	readonly files = new MemoryFiles();
	readonly #asksPerHour: number;
	#channel: TelegramChannel | undefined;
	#taps = 0;

	private constructor(asksPerHour: number) {
		this.#asksPerHour = asksPerHour;
	}

	static async open(asksPerHour = 20): Promise<VirtualChat> {
		const chat = new VirtualChat(asksPerHour);
		await chat.start();
		return chat;
	}

	/** Core begins, with what it kept before. */
	async start(): Promise<void> {
		this.#channel = new TelegramChannel({
			api: this.telegram.api,
			desk: this.desk,
			kept: await KeptChat.open(this.files),
			clock: { now: () => instant(this.time.nowMs), wall: () => wallTime(this.time.nowMs) },
			timers: this.time,
			admins: [ANNA.id],
			asksPerHour: this.#asksPerHour,
			bot: "1",
		});
		await this.#channel.start();
		await settle();
	}

	async close(): Promise<void> {
		await this.#channel?.close();
		this.#channel = undefined;
	}

	pass(ms: number): Promise<void> {
		return this.time.advance(ms);
	}

	/** Messages whose newest text says so. */
	saying(text: string): readonly VirtualMessage[] {
		return this.telegram.messages.filter(({ html }) => html.includes(text));
	}

	/** Anna writes to the bot. */
	types(text: string): void {
		const chat = { id: ANNA.id, type: "private" };
		this.telegram.push({ message: { message_id: 1, date: 0, chat, from: { id: ANNA.id, is_bot: false, first_name: ANNA.name }, text } });
	}

	/** Taps a button as it stands there now; gives what was answered. */
	async tap(id: number, label: string): Promise<string> {
		const button = this.telegram.messages[id - 1]?.buttons.find(({ text }) => text === label);
		if (button === undefined) throw new Error(`message ${id} has no button ${label}`);
		const tap = `tap-${++this.#taps}`;
		const from = { id: ANNA.id, is_bot: false, first_name: ANNA.name };
		const message = { message_id: id, date: 0, chat: { id: ANNA.id, type: "private" } };
		this.telegram.push({ callback_query: { id: tap, from, chat_instance: "1", message, data: button.data } });
		await this.pass(1_000);
		return this.telegram.tapAnswers.get(tap) ?? "nothing";
	}
}
