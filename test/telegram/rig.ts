// Connects tests to a Telegram channel over a Bot API server that speaks the real protocol to the real library; time runs ten times as fast.
import { type BotServer, type Person, BotServer as Server, type ShownMessage } from "../../agents/demo/telegram/bot-server.ts";
import { fail } from "../../contracts/errors.ts";
import { ok } from "../../contracts/result.ts";
import { instant, wallTime } from "../../contracts/time.ts";
import type { Level } from "../../core/policy.ts";
import { botApi } from "../../core/service/telegram/bot-api.ts";
import { TelegramChannel } from "../../core/service/telegram/channel.ts";
import { KeptChat } from "../../core/service/telegram/kept-chat.ts";
import type { Ask, ChatDesk } from "../../core/service/telegram/ports.ts";
import { until } from "../support/mesh.ts";

/** Not so fast that a busy machine takes longer for a call than the channel waits for one. */
const FASTER = 10;
export const TOKEN = "123456:abcdefghijklmnopqrstuvwxyz0123456789";
export const ANNA: Person = { id: 4_711, name: "Anna" };
export const BERT: Person = { id: 4_712, name: "Bert" };
export const MALLORY: Person = { id: 666, name: "Mallory" };

const fastClock = { now: () => instant(performance.now() * FASTER), wall: () => wallTime(Date.UTC(2026, 0, 2, 3, 4, 5)) };
const fastTimers = {
	after: (delayMs: number, run: () => void) => {
		const timer = setTimeout(run, delayMs / FASTER);
		return () => clearTimeout(timer);
	},
};

/** Small files that stay when a channel is opened again. */
export class MemoryFiles {
	readonly texts = new Map<string, string>();
	read(name: string): Promise<string | undefined> {
		return Promise.resolve(this.texts.get(name));
	}
	full = false;
	write(name: string, text: string): Promise<void> {
		if (this.full) return Promise.reject(new Error("no space left on device"));
		this.texts.set(name, text);
		return Promise.resolve();
	}
}

const ASK: Ask = {
	approval: "apr-00112233aabb",
	status: "open",
	incident: "inc-0011223344",
	title: "indexer on pi-1 eats the memory",
	node: "pi-1",
	name: "process.stop",
	risk: "RISKY",
	plan: "stop indexer on pi-1",
	why: "an alert says that it eats the memory",
	blast: "indexer on pi-1; nothing else",
	undo: "left-as-found",
	undoSays: "it stays stopped until a person starts it",
	evidence: [12, 13],
	boundHash: `sha256:${"0".repeat(64)}`,
	askedAt: "2026-01-02T03:04:05.000Z",
	decideBy: "2026-01-02T03:14:05.000Z",
	decideInMs: 600_000,
};

/** A mesh that keeps asks in memory and ends each of them once, as the engine does. */
export class DeskRig implements ChatDesk {
	readonly list: Ask[] = [];
	readonly records: { readonly type: string; readonly data: Record<string, unknown> }[] = [];
	readonly seen: string[] = [];
	readonly executed: string[] = [];
	readonly #listeners = new Set<() => void>();
	readonly #began = performance.now();
	now: Level = "N2";
	stops: string[] = [];
	noticed: string | undefined;
	pictureOf: Uint8Array | undefined;
	whyText = "because";

	ask(change: Partial<Ask> = {}): Ask {
		const ask = { ...ASK, ...change };
		this.list.push(ask);
		this.#say();
		return ask;
	}
	change(approval: string, change: Partial<Ask>): void {
		const at = this.list.findIndex((ask) => ask.approval === approval);
		const before = this.list[at];
		if (before !== undefined) this.list[at] = { ...before, ...change };
		this.#say();
	}
	#say(): void {
		for (const listener of this.#listeners) listener();
	}

	engineMs(): number {
		return (performance.now() - this.#began) * FASTER;
	}
	asks(): readonly Ask[] {
		return this.list.map((ask) => (ask.status === "open" ? { ...ask, decideInMs: ask.decideInMs } : ask));
	}
	onChange(listener: () => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}
	decide({ approval, verdict, boundHash, by, why }: Parameters<ChatDesk["decide"]>[0]): ReturnType<ChatDesk["decide"]> {
		const ask = this.list.find((each) => each.approval === approval);
		if (ask?.status !== "open" || ask.boundHash !== boundHash)
			return Promise.resolve(fail("NOT_FOUND", { what: "open approval", id: approval, detail: "It is over." }));
		const status = verdict === "approve" ? "approved" : "denied";
		if (verdict === "approve") this.executed.push(approval);
		this.change(approval, { status, by, via: "telegram", decidedAt: "2026-01-02T03:05:00.000Z", ...(why === undefined ? {} : { said: why }) });
		return Promise.resolve(ok({ end: status }));
	}
	saw(approval: string, by: string): Promise<void> {
		this.seen.push(`${approval} ${by}`);
		return Promise.resolve();
	}
	status(): string {
		return "nothing is wrong";
	}
	incidents(): string {
		return "1 incident <is> open & so on";
	}
	why(id: string): ReturnType<ChatDesk["why"]> {
		return Promise.resolve(id === "nothing" ? fail("NOT_FOUND", { what: "incident", id, detail: "" }) : ok(this.whyText));
	}
	level(): Level {
		return this.now;
	}
	lower(level: Level): Promise<void> {
		this.now = level;
		return Promise.resolve();
	}
	raise(level: Level): ReturnType<ChatDesk["raise"]> {
		const { approval } = this.ask({ approval: "apr-ffffffffffff", title: `raise the level to ${level}` });
		return Promise.resolve(ok({ approval }));
	}
	stop(by: string): Promise<string> {
		this.stops.push(by);
		return Promise.resolve("pi-1 says that it stopped, after 12 ms");
	}
	picture(): ReturnType<ChatDesk["picture"]> {
		return Promise.resolve(this.pictureOf === undefined ? undefined : { png: this.pictureOf, caption: "memory of pi-1" });
	}
	record(type: string, data: object): Promise<void> {
		this.records.push({ type, data: { ...data } });
		return Promise.resolve();
	}
	notice(text: string | undefined): void {
		this.noticed = text;
	}
}

export interface Chat {
	readonly bot: BotServer;
	readonly desk: DeskRig;
	readonly files: MemoryFiles;
	readonly channel: TelegramChannel;
	/** The newest message in a chat that fits. */
	message(fits: (message: ShownMessage) => boolean, chat?: number): Promise<ShownMessage>;
	/** Taps the button with this label on a message, and resolves with what was answered. */
	tap(person: Person, message: ShownMessage, label: string): Promise<string>;
	/** Sends a text and resolves with the next message of the bot in that chat. */
	say(person: Person, text: string): Promise<ShownMessage>;
	refused(reason: string): Promise<Record<string, unknown>>;
	close(): Promise<void>;
}

export const openChat = async (
	options: {
		readonly admins?: readonly Person[];
		readonly asksPerHour?: number;
		readonly bot?: BotServer;
		readonly desk?: DeskRig;
		readonly files?: MemoryFiles;
		readonly token?: string;
		readonly botNumber?: string;
	} = {},
): Promise<Chat> => {
	const bot = options.bot ?? (await Server.open(TOKEN));
	const desk = options.desk ?? new DeskRig();
	const files = options.files ?? new MemoryFiles();
	const channel = new TelegramChannel({
		api: botApi({ token: options.token ?? TOKEN, root: bot.root }),
		desk,
		kept: await KeptChat.open(files),
		clock: fastClock,
		timers: fastTimers,
		admins: (options.admins ?? [ANNA]).map(({ id }) => id),
		asksPerHour: options.asksPerHour ?? 20,
		bot: options.botNumber ?? "1",
		pollSeconds: 5,
	});
	await channel.start();
	const message: Chat["message"] = (fits, chat = ANNA.id) =>
		until("a message", () => [...bot.messages].reverse().find((each) => each.chat === chat && fits(each)));
	return {
		bot,
		desk,
		files,
		channel,
		message,
		tap: (person, shown, label) => {
			const now = bot.messages.find(({ id }) => id === shown.id) ?? shown;
			const button = now.buttons.find(({ text }) => text === label);
			if (button === undefined) throw new Error(`no button ${label}: ${now.buttons.map(({ text }) => text).join(", ")}`);
			const tap = bot.taps(person, shown, button.data);
			return until("the tap is answered", () => bot.tapAnswers.get(tap));
		},
		say: (person, text) => {
			const before = bot.messages.length;
			bot.types(person, text);
			return until(`an answer to ${text}`, () => bot.messages.slice(before).find(({ chat }) => chat === person.id));
		},
		refused: (reason) =>
			until(`a record of ${reason}`, () => desk.records.find(({ type, data }) => type === "dev.orion.chat.refused.v1" && data["reason"] === reason)?.data),
		close: async () => {
			await channel.close();
			await bot.close();
		},
	};
};
