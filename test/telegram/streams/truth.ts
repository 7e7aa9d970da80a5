// Decides whether what came of a stream of updates may be: from what people really did, from what the bot showed and from the log, knowing nothing of the channel's own memory.
import { derivedId } from "../../../contracts/digest.ts";
import type { Envelope } from "../../../contracts/envelope.ts";
import type { Recorded } from "../../../core/record.ts";
import type { ChatServer, Message } from "./chat-server.ts";

/** What an update really was, as whoever made it knows. */
export interface Deed {
	readonly kind: string;
	readonly raw: object;
	readonly pushedMs: number;
	/** Set if a genuine answer of a person: by the person himself, in his private chat, with a button that stood there or by command. */
	readonly answer?: { readonly user: number; readonly approval: string; readonly verdict: "ask" | "approve" | "deny"; readonly message: number };
	readonly tap?: string;
	readonly stop?: true;
	/** A question was to be shown again, in a new message: from then on the one before counts for nothing. */
	readonly again?: string;
}

interface Question {
	readonly asked: Envelope<"dev.orion.approval.requested.v1">["data"];
	readonly askedMs: number;
	end?: { readonly how: string; readonly atMs: number };
	ran: number;
}

const ENDS: Readonly<Record<string, string>> = {
	approved: "Approved</b>",
	denied: "Denied: nothing was done",
	expired: "Expired: nobody answered",
	superseded: "Superseded:",
	revoked: "Revoked:",
	void: "Void:",
};
const SHOWS = /<i>(apr-[0-9a-f]{12})/;
const WINDOW_MS = 600_000;

/** The ask that a message shows. */
export const approvalOf = ({ html }: Pick<Message, "html">): string | undefined => SHOWS.exec(html)?.[1];

export class Truth {
	readonly deeds = new Map<number, Deed>();
	readonly questions = new Map<string, Question>();
	/** Asks for a higher level, with how they ended. */
	readonly levels = new Map<string, string | undefined>();
	/** Numbers of the admins. */
	readonly admins: Set<number>;
	/** Answers in the log, by what they came through and what became of them. */
	readonly answers: { readonly approval: string; readonly verdict: string; readonly via: string; readonly position: number }[] = [];
	readonly refusals = new Map<string, number>();
	readonly stopsMs: number[] = [];
	readonly #server: ChatServer;
	readonly #decided = new Map<string, string>();
	/** Questions whose command had an effect at a node. */
	readonly executed = new Map<string, number>();

	constructor(server: ChatServer, admins: readonly number[]) {
		this.#server = server;
		this.admins = new Set(admins);
	}

	#must(holds: boolean, promise: string, what: string): asserts holds {
		if (!holds) throw new Error(`${promise}: ${what}`);
	}

	read({ position, envelope }: Recorded, nowMs: number): void {
		switch (envelope.type) {
			case "dev.orion.approval.requested.v1":
				this.questions.set(envelope.data.approval, { asked: envelope.data, askedMs: nowMs, ran: 0 });
				break;
			case "dev.orion.approval.decided.v1":
				this.answers.push({ ...envelope.data, position });
				if (envelope.source === "/core/telegram") this.#answered(envelope);
				break;
			case "dev.orion.approval.closed.v1": {
				const question = this.questions.get(envelope.data.approval);
				this.#must(question !== undefined && question.end === undefined, "HARM-95", `${envelope.data.approval} ends a second time`);
				question.end = { how: envelope.data.end, atMs: nowMs };
				break;
			}
			case "dev.orion.action.requested.v1":
				if (envelope.data.approval !== undefined) this.#ran(envelope.data.approval);
				break;
			case "dev.orion.level.asked.v1":
				this.levels.set(envelope.data.ask, undefined);
				break;
			case "dev.orion.level.answered.v1":
				this.#levelEnds(envelope.data);
				break;
			case "dev.orion.chat.refused.v1":
				this.refusals.set(envelope.data.reason, (this.refusals.get(envelope.data.reason) ?? 0) + 1);
				break;
			default:
		}
	}

	/** An answer in the log by the chat is one that an admin really gave, there, with one update. */
	#answered({ id, data }: Envelope<"dev.orion.approval.decided.v1">): void {
		const user = Number(/^telegram:(\d+) /.exec(data.by)?.[1]);
		this.#must(this.admins.has(user), "HARM-95", `${data.approval} is answered by ${data.by}, who is no admin`);
		const found = [...this.deeds].find(([update]) => derivedId(`telegram ${update}\n${data.approval}`, 0) === id);
		this.#must(found !== undefined, "TELL-41", `the answer ${id} to ${data.approval} comes from no update`);
		const [update, { kind, answer, pushedMs }] = found;
		const same = answer?.user === user && answer.approval === data.approval && answer.verdict === data.verdict;
		this.#must(same, "HARM-95", `${data.verdict} to ${data.approval} rests on update ${update}, which was ${kind} ${JSON.stringify(answer)}`);
		const newer = this.#server.messages.find(
			(each) =>
				answer.message !== 0 && each.id > answer.message && each.chat === user && approvalOf(each) === data.approval && (each.buttonsMs ?? pushedMs) < pushedMs,
		);
		this.#must(newer === undefined, "HARM-95", `${data.approval} is answered below message ${answer?.message}, and message ${newer?.id} asked it already`);
		this.#must(!this.#decided.has(id), "HARM-96", `update ${update} answered ${data.approval} twice`);
		this.#decided.set(id, data.approval);
		if (data.verdict !== "approve") return;
		const first = [...this.deeds].find(
			([before, deed]) => before < update && deed.answer?.verdict === "ask" && deed.answer.approval === data.approval && deed.answer.user === user,
		);
		this.#must(first !== undefined, "HARM-95", `${data.approval} is approved by one tap`);
	}

	/** A level is raised by two taps of an admin or by who sits at core, and never twice by the same ask. */
	#levelEnds({ ask, end, by, via }: Envelope<"dev.orion.level.answered.v1">["data"]): void {
		this.#must(this.levels.has(ask) && this.levels.get(ask) === undefined, "HARM-96", `${ask} for a level ends as ${this.levels.get(ask)} and as ${end}`);
		this.levels.set(ask, end);
		if (end !== "approved" || via === "cli" || via === "page") return;
		const user = Number(/^telegram:(\d+) /.exec(by ?? "")?.[1]);
		const mine = [...this.deeds.values()].filter(({ answer }) => answer?.approval === ask && answer.user === user).map(({ answer }) => answer?.verdict);
		this.#must(
			this.admins.has(user) && mine.includes("ask") && mine.includes("approve"),
			"HARM-95",
			`${ask} for a level is approved by ${by}, who did ${mine.join(", ")}`,
		);
	}

	/** An action rests on an approval: that one was approved, and nothing ran for it before. */
	#ran(approval: string): void {
		const question = this.questions.get(approval);
		this.#must(question?.end?.how === "approved", "HARM-96", `something runs for ${approval}, which is ${question?.end?.how ?? "open"}`);
		question.ran += 1;
		this.#must(question.ran === 1, "HARM-96", `${approval} runs ${question.ran} times`);
	}

	/** The bot is about to show buttons: only below what can still be answered. */
	keyboard(html: string, engineMs: number): void {
		const question = this.questions.get(approvalOf({ html }) ?? "");
		if (question === undefined) return;
		this.#must(
			engineMs <= question.asked.decideByEngineMs + 1,
			"HARM-97",
			`buttons for ${question.asked.approval} ${engineMs - question.asked.decideByEngineMs} ms after it expired`,
		);
	}

	/** Once all is over. `lives`: processes of core that there were. `statusOf`: what status and page say of an ask. */
	atTheEnd(lives: number, statusOf: (approval: string) => string | undefined): void {
		for (const message of this.#server.messages) {
			this.#must(message.buttons.length === 0, "HARM-97", `message ${message.id} has live buttons when all is over: ${message.html.slice(0, 200)}`);
			const approval = approvalOf(message) ?? "";
			const how = this.questions.get(approval)?.end?.how ?? this.levels.get(approval);
			// What was sent as the process ended never had buttons; what was shown again says so.
			if (how === undefined || message.ever.size === 0 || message.html.startsWith("Shown again")) continue;
			this.#must(message.html.includes(ENDS[how] ?? "?"), "TELL-42", `${approval} is ${how} in the log, and message ${message.id} says: ${message.html}`);
		}
		for (const [ask, end] of this.levels) {
			this.#must(end !== undefined, "HARM-97", `${ask} for a level never ends`);
			this.#must(statusOf(ask) === end, "TELL-42", `${ask} for a level is ${end} in the log, and shown as ${statusOf(ask)}`);
		}
		for (const [approval, { end }] of this.questions) {
			this.#must(end !== undefined, "HARM-97", `${approval} never ends`);
			this.#must(statusOf(approval) === end.how, "TELL-42", `${approval} is ${end.how} in the log, and shown as ${statusOf(approval)}`);
		}
		for (const [update, deed] of this.deeds) this.#noneLost(update, deed);
		for (const [tap, times] of this.#server.answered) this.#must(times <= lives, "HARM-96", `tap ${tap} was answered ${times} times in ${lives} lives`);
		this.#alertsAreRare();
	}

	/** Who said no, or stop, was heard, whatever ended in between. */
	#noneLost(update: number, { answer, stop, pushedMs }: Deed): void {
		const confirmedMs = this.#server.confirmedMs.get(update);
		if (confirmedMs === undefined || this.#server.overtaken.has(update)) return;
		if (stop === true) {
			const heard = this.stopsMs.some((atMs) => atMs >= pushedMs && atMs <= confirmedMs);
			this.#must(heard, "TELL-41", `/stop in update ${update} counts as read, and nobody was stopped`);
		}
		// An ask for a level has its end in the log, whoever brought it.
		if (answer?.verdict !== "deny" || this.levels.has(answer.approval)) return;
		const { approval, message } = answer;
		const { end } = this.questions.get(approval) ?? {};
		const shownAgain = message !== 0 && [...this.deeds.values()].some((deed) => deed.again === approval);
		if (shownAgain || (end !== undefined && end.atMs <= confirmedMs)) return;
		this.#must(
			this.#decided.has(derivedId(`telegram ${update}\n${approval}`, 0)),
			"TELL-41",
			`no to ${approval} in update ${update} counts as read, and is in no log`,
		);
	}

	#alertsAreRare(): void {
		const newest = new Map<string, number>();
		for (const { html, chat, sentMs } of this.#server.messages) {
			const who = /^(.*) was refused here/.exec(html)?.[1]?.split(" ")[0];
			if (who === undefined) continue;
			const key = `${who} ${chat}`;
			const before = newest.get(key);
			// An alert may wait two minutes before it is said.
			this.#must(before === undefined || sentMs - before > WINDOW_MS - 150_000, "TELL-43", `admins hear of ${who} again after ${sentMs - (before ?? 0)} ms`);
			newest.set(key, sentMs);
		}
	}

	/** What came about, one word each time. */
	tell(did: (kind: string) => void): void {
		for (const [approval, { end, ran }] of this.questions) {
			did(`end ${end?.how}`);
			if (ran > 0) did("something ran");
			const ways = new Set(this.answers.filter((answer) => answer.approval === approval).map(({ via }) => via));
			if (ways.size > 1) did("answered by several ways");
		}
		for (const end of this.levels.values()) did(`level ${end}`);
		for (const { verdict, via } of this.answers) did(`${verdict} by ${via}`);
		for (const [reason, times] of this.refusals) for (let n = 0; n < times; n++) did(`refused ${reason}`);
	}
}
