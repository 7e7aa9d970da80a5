// Decides what comes in by a chat: what its admins really do, what others try, and what Telegram repeats, each with what it truly was.
import type { Chance } from "../../simulation/chance.ts";
import type { ChatServer, Message } from "./chat-server.ts";
import { approvalOf, type Deed, type Truth } from "./truth.ts";

export const ANNA = 4_711;
export const BERT = 4_712;
export const MALLORY = 666;
const GROUP = -100_123;

type Fields = Readonly<Record<string, unknown>>;

const person = (id: number): Fields => ({ id, is_bot: false, first_name: id === ANNA ? "Anna" : id === BERT ? "Bert" : "Mallory" });
const privately = (id: number): Fields => ({ id, type: "private" });

/** The buttons as they are worth tapping: most people go on with what they began. */
const LABELS: readonly [string, ...string[]] = [
	"Approve",
	"Approve",
	"Approve",
	"Yes, let it run",
	"Yes, let it run",
	"Yes, let it run",
	"Deny",
	"Details",
	"Snooze",
	"Back",
];

export interface PeopleOptions {
	readonly chance: Chance;
	readonly server: ChatServer;
	readonly truth: Truth;
	readonly nowMs: () => number;
	/** Told of each thing that is done, for the count. */
	readonly did: (kind: string) => void;
}

export class People {
	readonly #options: PeopleOptions;
	#taps = 0;

	constructor(options: PeopleOptions) {
		this.#options = options;
	}

	#push(kind: string, raw: object, more: Partial<Deed> = {}): void {
		const { server, truth, nowMs, did } = this.#options;
		const id = server.push(raw);
		truth.deeds.set(id, { kind, raw, pushedMs: nowMs(), ...more });
		did(kind);
	}

	#shown(): Message | undefined {
		const { server, chance } = this.#options;
		const live = server.messages.filter(({ buttons }) => buttons.length > 0);
		const [first, ...others] = live;
		return first === undefined ? undefined : chance.pick([first, ...others]);
	}

	/** A message that showed buttons once, live or not. */
	#once(): Message | undefined {
		const { server, chance } = this.#options;
		const [first, ...others] = server.messages.filter(({ ever }) => ever.size > 0);
		return first === undefined ? undefined : chance.pick([first, ...others]);
	}

	#tap(kind: string, from: Fields | undefined, chat: Fields, message: number, data: string, more: Partial<Deed> = {}, fields: Fields = {}): void {
		const tap = this.#newTap();
		const named = from === undefined ? {} : { from };
		this.#push(kind, { callback_query: { id: tap, ...named, message: { message_id: message, chat, ...fields }, data } }, { tap, ...more });
	}

	/** An admin taps what stands below a message that he sees. */
	admin(): void {
		const { chance } = this.#options;
		const message = this.#shown();
		if (message === undefined) return;
		const wanted = chance.pick(LABELS);
		const button = message.buttons.find(({ text }) => text === wanted) ?? message.buttons[0];
		if (button !== undefined) this.#real(message, button);
	}

	#real({ id: message, chat, html }: Message, { text, data }: { readonly text: string; readonly data: string }): void {
		const approval = approvalOf({ html }) ?? "";
		const verdict = ({ Approve: "ask", "Yes, let it run": "approve", Deny: "deny" } as const)[text as "Deny"] as "ask" | "approve" | "deny" | undefined;
		const answer = verdict === undefined ? {} : { answer: { user: chat, approval, verdict, message } };
		this.#tap(`admin ${text}`, person(chat), privately(chat), message, data, answer);
	}

	/** An admin says no, by button or by word. */
	no(): void {
		const { chance, truth } = this.#options;
		const message = this.#shown();
		const button = message?.buttons.find(({ text }) => text === "Deny");
		if (message !== undefined && button !== undefined && chance.hits(0.6)) this.#real(message, button);
		else
			for (const [approval, { end }] of truth.questions)
				if (end === undefined) this.#types("command /deny", ANNA, `/deny ${approval}`, {}, { answer: { user: ANNA, approval, verdict: "deny", message: 0 } });
	}

	level(level: string): void {
		this.#types("command /level", ANNA, `/level ${level}`);
	}

	stop(): void {
		this.#types("command /stop", ANNA, "/stop", {}, { stop: true });
	}

	/** Both taps one after the other, as fast as a finger can; the second with whatever the message shows by then. */
	twice(): void {
		const message = this.#shown();
		const [first] = message?.buttons ?? [];
		if (message === undefined || first === undefined) return;
		this.#real(message, first);
		this.#real(message, first);
	}

	/** Data of a button that stands, or stood, somewhere. */
	#copied(): { readonly message: Message; readonly data: string } | undefined {
		const { chance } = this.#options;
		const message = this.#once();
		const [first, ...others] = [...(message?.ever.keys() ?? [])];
		return message === undefined || first === undefined ? undefined : { message, data: chance.pick([first, ...others]) };
	}

	stranger(): void {
		const { chance } = this.#options;
		const copied = this.#copied();
		if (copied === undefined || chance.hits(0.3)) {
			this.#types("stranger text", MALLORY, chance.pick(["/stop", "/level N0", "/deny", "/start", "/start abcdefghijklmnop", "/approve"]));
			return;
		}
		const { message, data } = copied;
		const chat = chance.pick([privately(MALLORY), privately(message.chat), { id: GROUP, type: "supergroup" }]);
		this.#tap("stranger tap", person(MALLORY), chat, message.id, data);
	}

	/** Genuine data where it does not belong, or data that nobody was given. */
	forger(): void {
		const { chance, server } = this.#options;
		const copied = this.#copied();
		if (copied === undefined) return;
		const { message, data } = copied;
		const me = message.chat;
		const other = me === ANNA ? BERT : ANNA;
		const at = chance.whole(0, data.length - 1);
		const changed = `${data.slice(0, at)}${data[at] === "A" ? "B" : "A"}${data.slice(at + 1)}`;
		const madeUp = chance.pick(["", "approve", "2c.apr-000000000000.AAAAAAAAAAAAAAAA", "x".repeat(64)]);
		const mine = (kind: string, id: number, text: string) => (): void => this.#tap(kind, person(me), privately(me), id, text);
		const elsewhere = this.#once();
		const foreign = elsewhere?.chat === me && !elsewhere.ever.has(data) ? elsewhere.id : server.unknownMessage;
		chance.pick<() => void>([
			mine("changed data", message.id, changed),
			mine("another verb", message.id, `2${data[1] === "c" ? "d" : "c"}${data.slice(2)}`),
			mine("made-up data", message.id, madeUp),
			mine("data at an unknown message", server.unknownMessage, data),
			mine("data of another message", foreign, data),
			// A message that lost its buttons never gets them back.
			message.buttons.length === 0 ? mine("data of a button that is gone", message.id, data) : mine("made-up data", message.id, madeUp),
			() => this.#tap("data of another chat", person(other), privately(other), message.id, data),
			() => this.#wrongSender(message, data),
		])();
	}

	#wrongSender({ id, chat: me }: Message, data: string): void {
		const inline = { from: person(me), inline_message_id: "m", message: { message_id: id, chat: privately(me) }, data };
		this.#options.chance.pick<() => void>([
			() => this.#tap("tap without sender", undefined, privately(me), id, data),
			() => this.#tap("tap of a bot", { ...person(me), is_bot: true }, privately(me), id, data),
			() => this.#tap("tap in a group", person(me), { id: GROUP, type: "supergroup" }, id, data),
			() => this.#tap("tap in a channel", person(me), { id: me, type: "channel" }, id, data),
			() => this.#push("inline tap", { callback_query: { id: this.#newTap(), ...inline } }),
		])();
	}

	#newTap(): string {
		this.#taps += 1;
		return `t${this.#taps}`;
	}

	#types(kind: string, user: number, text: string, fields: Fields = {}, more: Partial<Deed> = {}): void {
		this.#push(kind, { message: { message_id: this.#options.server.unknownMessage, chat: privately(user), from: person(user), text, ...fields } }, more);
	}

	/** An admin wants to see a question again, further down. */
	again(): void {
		const { truth } = this.#options;
		for (const [id, { end }] of truth.questions) if (end === undefined) this.#types("command /approve", ANNA, `/approve ${id}`, {}, { again: id });
	}

	/** What an admin types. */
	command(): void {
		const { chance, truth } = this.#options;
		const user = chance.pick([ANNA, ANNA, BERT]);
		if (!truth.admins.has(user)) return;
		const open = [...truth.questions].filter(([, { end }]) => end === undefined).map(([id]) => id);
		const [first, ...others] = open;
		const known = first === undefined ? undefined : chance.pick([first, ...others]);
		const say =
			(text: string, more: Partial<Deed> = {}) =>
			(): void =>
				this.#types(`command ${text.split(" ")[0]}`, user, text, {}, more);
		const nothing = (): void => undefined;
		const deny = known === undefined ? nothing : say(`/deny ${known}`, { answer: { user, approval: known, verdict: "deny", message: 0 } });
		const again = known === undefined ? nothing : say(`/approve ${known}`, { again: known });
		chance.pick([
			deny,
			deny,
			again,
			again,
			say("/stop", { stop: true }),
			say(chance.pick(["/mute 20s", "/mute 0s"])),
			say(chance.pick(["/level N0", "/level N2", "/level", "/level N3"])),
			say(chance.pick(["/status", "/incidents", "/help"])),
			say(chance.pick(["/why", "/why inc-00"])),
		])();
	}

	/** Words of an admin that are not said now, here, by him. */
	notSaid(): void {
		const { chance, truth } = this.#options;
		const [open] = [...truth.questions].filter(([, { end }]) => end === undefined).map(([id]) => id);
		const text = open === undefined ? "/level N0" : `/deny ${open}`;
		const [kind, fields] = chance.pick<readonly [string, Fields]>([
			["forwarded", { forward_origin: { type: "user" } }],
			["edit mark", { edit_date: 5 }],
			["anonymous admin", { sender_chat: { id: GROUP } }],
			["through a bot", { via_bot: { id: 7 } }],
			["business", { business_connection_id: "b" }],
			["message without sender", { from: undefined }],
			["group message", { chat: { id: GROUP, type: "supergroup" } }],
			["message of a bot", { from: { ...person(ANNA), is_bot: true } }],
		]);
		if (chance.hits(0.15)) {
			const message = { message_id: 3, chat: privately(ANNA), from: person(ANNA), text };
			this.#push(
				"edited",
				chance.pick<object>([{ edited_message: message }, { channel_post: message }, { inline_query: { id: "1", from: person(ANNA), query: text } }]),
			);
		}
		this.#types(kind, ANNA, text, fields);
	}

	/** Telegram, or somebody with the token, sends an update again. */
	replay(): void {
		const { chance, server, truth, did } = this.#options;
		const [first, ...others] = [...truth.deeds];
		if (first === undefined) return;
		const [id, { raw }] = chance.pick([first, ...others]);
		server.again(id, raw);
		did("replayed update");
	}
}
