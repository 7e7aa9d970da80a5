// Decides what a tap or a command of a person leads to: who may, whether the button is the newest and genuine, and what is said back.
import { derivedId } from "../../../contracts/digest.ts";
import type { Fault } from "../../../contracts/errors.ts";
import { sayFault } from "../../../contracts/errors.ts";
import { parseDuration, sayDuration } from "../../../contracts/time.ts";
import type { Level } from "../../policy.ts";
import type { Asks } from "./asks.ts";
import type { KeptChat, Shown } from "./kept-chat.ts";
import type { Ask, ChatDesk } from "./ports.ts";
import type { Update } from "./sender.ts";
import { isGenuine, readTap } from "./taps.ts";
import { HELP, safe, wholeAsk } from "./words.ts";

type Tap = Extract<Update, { readonly kind: "tap" }>;
type Text = Extract<Update, { readonly kind: "text" }>;

/** Why a tap or command of an admin himself is not honoured. */
export type Refusal = "stranger" | "forged" | "another-message" | "over" | "used" | "unknown-ask" | "refused-by-core";

export interface Reply {
	/** Shown above the chat for a moment (taps), or sent as a message (commands), HTML. */
	readonly say: string;
	/** Something longer than a message holds. */
	readonly file?: { readonly name: string; readonly text: string };
	readonly refused?: Refusal;
	readonly approval?: string;
}

export interface AnswersOptions {
	readonly desk: ChatDesk;
	readonly kept: KeptChat;
	readonly asks: Asks;
}

const OVER: Readonly<Record<Exclude<Ask["status"], "open">, string>> = {
	approved: "It was approved already.",
	denied: "It was denied already.",
	expired: "Too late: it has expired, and nothing was done.",
	superseded: "It was superseded: what was asked is no longer what is needed.",
	revoked: "It was revoked.",
	void: "It is void: things changed after it was asked.",
};

const MUTE_DEFAULT_MS = 3_600_000;
const MUTE_MAX_MS = 24 * 3_600_000;
const LEVELS: readonly Level[] = ["N0", "N2", "N3"];
const TEXT_MAX = 3_500;

/** As a record names a person: the number is who it is, the name is what he calls himself. */
export const personOf = (user: number, name: string): string => `telegram:${user} ${name}`.slice(0, 64);

const refusedByCore = (fault: Fault, approval: string): Reply => ({ say: safe(sayFault(fault)), refused: "refused-by-core", approval });

export class Answers {
	readonly #options: AnswersOptions;

	constructor(options: AnswersOptions) {
		this.#options = options;
	}

	#ask(id: string): Ask | undefined {
		return this.#options.desk.asks().find(({ approval }) => approval === id);
	}

	/** A tap of an admin. */
	async tap({ id, chat, data, message, user, name }: Tap): Promise<Reply> {
		const { kept, asks } = this.#options;
		const handle = readTap(data);
		if (handle === undefined) return { say: "This button is not one of mine.", refused: "forged" };
		const { approval } = handle;
		const shown = kept.shown(approval, chat);
		const ask = this.#ask(approval);
		if (shown === undefined || ask === undefined) return { say: "I do not know this ask any more.", refused: "unknown-ask", approval };
		if (!isGenuine(kept.key, handle, { chat, message }, shown.boundHash)) return { say: "This button is not one of mine.", refused: "forged", approval };
		if (shown.message !== message) {
			// One that was sent just before a crash, or an old one: it loses its buttons now.
			await asks.strip({ approval, chat, message });
			return { say: "This ask was shown again below: answer there.", refused: "another-message", approval };
		}
		if (ask.status !== "open") {
			await asks.turn(shown, ask, "ended");
			return { say: OVER[ask.status], refused: "over", approval };
		}
		switch (handle.verb) {
			case "approve":
				await asks.turn(shown, ask, "confirm");
				return { say: "Read it once more: the next tap lets it run.", approval };
			case "back":
				await asks.turn(shown, ask, "ask");
				return { say: "Nothing was decided.", approval };
			case "snooze":
				return this.#snooze(shown, ask);
			case "details":
				return this.#details(ask);
			case "confirm":
				// A confirmation is worth what was shown before it: from any other stage it is an old button.
				if (shown.stage !== "confirm") return { say: "Tap Approve first.", refused: "used", approval };
				return this.#decide(ask, shown.boundHash, "approve", { id, user, name });
			case "deny":
				return this.#decide(ask, shown.boundHash, "deny", { id, user, name });
		}
	}

	async #snooze(shown: Shown, ask: Ask): Promise<Reply> {
		const { approval } = ask;
		const inMs = await this.#options.asks.snooze(shown, ask);
		if (inMs === undefined) return { say: "I came back to it once. It expires as it says.", approval };
		return { say: `I come back to it once, in ${sayDuration(inMs)}. It expires all the same.`, approval };
	}

	async #decide(ask: Ask, boundHash: string, verdict: "approve" | "deny", { id: update, user, name }: Pick<Tap, "id" | "user" | "name">): Promise<Reply> {
		const { desk, asks } = this.#options;
		const { approval } = ask;
		const decided = await desk.decide({ approval, verdict, boundHash, by: personOf(user, name), id: derivedId(`telegram ${update}\n${approval}`, 0) });
		await asks.sync();
		if (!decided.ok) return refusedByCore(decided.fault, approval);
		const end = decided.value.end;
		return { say: end === "approved" ? "Approved." : end === "denied" ? "Denied: nothing is done." : `It ended: ${safe(end)}.`, approval };
	}

	async #details(ask: Ask): Promise<Reply> {
		// An ask for a level belongs to no incident: what is asked is the whole story.
		if (ask.incident === "") return { say: "All of it is in the file.", file: { name: `${ask.approval}.txt`, text: wholeAsk(ask) }, approval: ask.approval };
		const why = await this.#options.desk.why(ask.incident);
		if (!why.ok) return { say: safe(sayFault(why.fault)), approval: ask.approval };
		return { say: "The whole story is in the file.", file: { name: `${ask.incident}.txt`, text: why.value }, approval: ask.approval };
	}

	/** A command of an admin. */
	async command({ id, text, user, name, chat }: Text): Promise<Reply> {
		const { desk } = this.#options;
		const [word = "", ...rest] = text.trim().split(/\s+/);
		const argument = rest.join(" ");
		switch (word.toLowerCase().replace(/@.*$/, "")) {
			case "/status":
				return { say: safe(desk.status()) };
			case "/incidents":
				return this.#long(desk.incidents(), "incidents.txt");
			case "/why":
				return this.#why(argument);
			case "/approve":
				return this.#showAgain(argument, chat);
			case "/deny":
				return this.#deny(argument, { id, user, name });
			case "/mute":
				return this.#mute(argument, user);
			case "/level":
				return this.#level(argument, personOf(user, name));
			case "/stop":
				return { say: safe(await desk.stop(personOf(user, name))) };
			case "/start":
			case "/help":
				return { say: HELP };
			default:
				return { say: `I do not know ${safe(word.slice(0, 32))}.\n\n${HELP}` };
		}
	}

	#long(text: string, name: string): Reply {
		return text.length <= TEXT_MAX ? { say: safe(text) } : { say: "That is long: it is in the file.", file: { name, text } };
	}

	async #why(id: string): Promise<Reply> {
		const why = await this.#options.desk.why(id);
		return why.ok ? this.#long(why.value, "why.txt") : { say: safe(sayFault(why.fault)) };
	}

	/** The one ask whose id begins so; without an id the only open one. */
	#find(id: string): Ask | Reply {
		const asks = this.#options.desk.asks();
		const found = id === "" ? asks.filter(({ status }) => status === "open") : asks.filter(({ approval }) => approval.startsWith(id));
		const [ask, ...others] = found;
		if (ask === undefined) return { say: id === "" ? "Nothing waits for an answer." : `There is no ask ${safe(id.slice(0, 40))}.`, refused: "unknown-ask" };
		return others.length === 0 ? ask : { say: `Which one? ${found.map(({ approval }) => safe(approval)).join(", ")}` };
	}

	/** Never approves by itself: what was read once may be another thing by now. */
	async #showAgain(id: string, chat: number): Promise<Reply> {
		const ask = this.#find(id);
		if ("say" in ask) return ask;
		if (ask.status !== "open") return { say: OVER[ask.status], refused: "over", approval: ask.approval };
		await this.#options.asks.show(ask, chat);
		return { say: "Here it is again; answer with its buttons.", approval: ask.approval };
	}

	async #deny(named: string, person: Pick<Text, "id" | "user" | "name">): Promise<Reply> {
		const ask = this.#find(named);
		if ("say" in ask) return ask;
		if (ask.status !== "open") return { say: OVER[ask.status], refused: "over", approval: ask.approval };
		return this.#decide(ask, ask.boundHash, "deny", person);
	}

	async #mute(text: string, user: number): Promise<Reply> {
		const { desk, kept } = this.#options;
		const askedMs = text === "" ? MUTE_DEFAULT_MS : parseDuration(text);
		if (askedMs === undefined) return { say: "For how long? For example: /mute 30min, /mute 2h, /mute 0s" };
		const forMs = Math.min(askedMs, MUTE_MAX_MS);
		const untilEngineMs = desk.engineMs() + forMs;
		await kept.change((state) => ({
			...state,
			muted: [...state.muted.filter((each) => each.user !== user), ...(forMs === 0 ? [] : [{ user, untilEngineMs }])],
		}));
		return { say: forMs === 0 ? "I ask again." : `No asks here for ${sayDuration(forMs)}. They expire all the same, and silence means no.` };
	}

	async #level(text: string, by: string): Promise<Reply> {
		const { desk } = this.#options;
		const now = desk.level();
		if (text === "") return { say: `The level is <b>${now}</b>.` };
		const wanted = LEVELS.find((level) => level === text.toUpperCase());
		if (wanted === undefined) return { say: "A level is N0, N2 or N3." };
		if (wanted === now) return { say: `It is ${now} already.` };
		if (LEVELS.indexOf(wanted) < LEVELS.indexOf(now)) {
			await desk.lower(wanted, by);
			return { say: `Lowered to <b>${wanted}</b>.` };
		}
		const raised = await desk.raise(wanted, by);
		return raised.ok
			? { say: `Raising it to ${wanted} is asked for; it needs an answer like any other ask.`, approval: raised.value.approval }
			: { say: safe(sayFault(raised.fault)) };
	}
}
