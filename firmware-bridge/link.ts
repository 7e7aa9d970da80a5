// Decides what a host says to a board and what the board's answers mean: handshake, arming, renewals, reply time-outs, and what counts as a fault.
import type { Instant } from "../contracts/time.ts";
import { closedLink, type Link, type LinkFault, type LinkInput, type LinkKind, type LinkNews, type LinkStep, type LinkTerms } from "./link-state.ts";
import { answerTo, type BoardFrame, type BoardStatus, type HelloFromBoard, type HostFrame, PROTOCOL_VERSION, tagOf } from "./words.ts";

/** Renewals come from the loop that computes the poses: it beats, and every second or third beat renews. */
const RENEW_EVERY_MS = 40;
/** An accepted renewal is not answered, so a board that hears nothing any more is found by asking. */
const ASK_EVERY_MS = 100;
const REPLY_WITHIN_MS = 200;
const HELLO_AGAIN_MS = 500;
const HELLO_WITHIN_MS = 3_000;

const plus = (at: Instant, ms: number): Instant => (at + ms) as Instant;

const still = (link: Link, news: readonly LinkNews[] = []): LinkStep => ({ link, send: [], news });
const enter = (link: Link, kind: LinkKind, at: Instant): Link => ({ ...link, kind, since: at, awaited: undefined });

/** Nothing can be said, or the board's own dead-man has it in hand: whether it goes limp sooner is for those to decide who know how it stands. */
const LEFT_TO_THE_BOARD: readonly LinkFault[] = ["line-closed", "froze-unasked"];

/** Whatever else is wrong with a board that may be driving legs is answered with a cut. */
const broken = (link: Link, at: Instant, fault: LinkFault, detail = ""): LinkStep => {
	const seq = link.seq + 1;
	const send: readonly HostFrame[] = LEFT_TO_THE_BOARD.includes(fault) ? [] : [{ kind: "cut", seq }];
	return { link: { ...enter(link, "fault", at), seq, fault, faultDetail: detail }, send, news: [{ kind: "fault", fault, detail }] };
};

type Question = Extract<HostFrame, { kind: "hello" | "arm" | "status" | "stop" | "cut" }>;

/** Says what is to be answered. */
const ask = (link: Link, at: Instant, frame: Question): LinkStep => ({
	link: { ...link, seq: frame.seq, askedAt: at, awaited: link.awaited ?? { seq: frame.seq, until: plus(at, REPLY_WITHIN_MS) } },
	send: [frame],
	news: [],
});

const greet = (link: Link, at: Instant): LinkStep => {
	const seq = link.seq + 1;
	return { link: { ...link, seq, askedAt: at }, send: [{ kind: "hello", seq, version: PROTOCOL_VERSION }], news: [] };
};

const onTime = (link: Link, at: Instant): LinkStep => {
	if (link.kind === "greeting") {
		if (at - link.since >= HELLO_WITHIN_MS) return broken(link, at, "no-hello");
		return at - link.askedAt >= HELLO_AGAIN_MS ? greet(link, at) : still(link);
	}
	if (link.awaited !== undefined && at >= link.awaited.until) return broken(link, at, "no-answer", link.kind);
	return still(link);
};

/** Seq 0: it says so unasked, because it has just started. */
const isBoot = (hello: HelloFromBoard): boolean => hello.seq === 0;

const onHello = (link: Link, terms: LinkTerms, at: Instant, hello: HelloFromBoard): LinkStep => {
	if (link.kind === "fault") return still(link);
	// While its outputs are off, a board that starts anew has moved nothing: it is greeted like a new one.
	if (link.kind !== "greeting" && link.kind !== "off") return isBoot(hello) ? broken(link, at, "board-reset", `reset cause ${hello.resetCause}`) : still(link);
	if (hello.version !== PROTOCOL_VERSION) return broken(link, at, "other-version", `version ${hello.version}`);
	if (terms.firmware !== undefined && hello.firmware !== terms.firmware) return broken(link, at, "other-firmware", hello.firmware);
	// On before this host came: its dead-man is about to end that, and only then it is asked again.
	if (hello.state !== "off") return still({ ...enter(link, "greeting", at), hello });
	const news: readonly LinkNews[] = link.kind === "greeting" ? [{ kind: "off" }] : [];
	return still({ ...link, kind: "off", since: link.kind === "off" ? link.since : at, hello, nonce: hello.nonce }, news);
};

/** Off is entered with a new nonce, which only a hello tells. */
const offAgain = (link: Link, at: Instant): LinkStep => {
	const greeted = greet(enter(link, "greeting", at), at);
	return { ...greeted, news: [{ kind: "off" }] };
};

const onStatus = (link: Link, at: Instant, status: BoardStatus): LinkStep => {
	const told: readonly LinkNews[] = [{ kind: "status", status }];
	const answered = link.awaited !== undefined && status.seq >= link.awaited.seq ? { ...link, awaited: undefined } : link;
	const and = (step: LinkStep): LinkStep => ({ ...step, news: [...told, ...step.news] });
	switch (link.kind) {
		case "arming":
			if (status.state !== "armed") return still(answered, told);
			return status.tag === link.tag ? and(still(enter(link, "armed", at), [{ kind: "armed" }])) : and(broken(link, at, "other-tag"));
		case "armed":
			if (status.state === "frozen") return and(broken(link, at, "froze-unasked", status.cause));
			if (status.state === "off") return and(broken(link, at, "off-unasked", status.cause));
			return status.tag === link.tag ? still(answered, told) : and(broken(link, at, "other-tag"));
		case "stopping":
		case "frozen":
			if (status.state === "off") return and(offAgain(link, at));
			if (status.state === "frozen" && link.kind === "stopping") return and(still(enter(link, "frozen", at), [{ kind: "frozen" }]));
			return still(answered, told);
		default:
			return still(answered, told);
	}
};

const onFrame = (link: Link, terms: LinkTerms, at: Instant, frame: BoardFrame): LinkStep => {
	if (link.kind === "closed") return still(link);
	switch (frame.kind) {
		case "hello":
			return onHello(link, terms, at, frame);
		case "status":
			return onStatus(link, at, frame);
		case "sensors":
			return still(link, [{ kind: "sensors", sensors: frame }]);
		case "refused":
			// What crossed a stop on the line is refused, and that is as it should be.
			if (link.kind !== "arming" && link.kind !== "armed") return still(link);
			return broken(link, at, "refused", `${frame.type}: ${frame.reason}`);
	}
};

/** Where silence would mean something. */
const ASKED: readonly LinkKind[] = ["off", "armed", "stopping", "frozen"];

const onBeat = (link: Link, at: Instant): LinkStep => {
	if (!ASKED.includes(link.kind)) return still(link);
	const send: HostFrame[] = [];
	let after = link;
	if (link.kind === "armed" && at - link.renewedAt >= RENEW_EVERY_MS) {
		after = { ...after, seq: after.seq + 1, renewedAt: at };
		send.push({ kind: "renew", seq: after.seq, tag: after.tag });
	}
	if (at - link.askedAt < ASK_EVERY_MS) return { link: after, send, news: [] };
	const asked = ask(after, at, { kind: "status", seq: after.seq + 1 });
	return { ...asked, send: [...send, ...asked.send] };
};

const honour = (link: Link, terms: LinkTerms, input: LinkInput): LinkStep => {
	const { at } = input;
	const seq = link.seq + 1;
	switch (input.kind) {
		case "opened":
			return greet({ ...enter(closedLink, "greeting", at), seq: link.seq }, at);
		case "closed":
			return link.kind === "fault" || link.kind === "closed" ? still(link) : broken(link, at, "line-closed");
		case "again":
			return link.kind === "fault" ? greet({ ...enter(closedLink, "greeting", at), seq: link.seq }, at) : still(link);
		case "time":
			return still(link);
		case "frame":
			return onFrame(link, terms, at, input.frame);
		case "arm": {
			if (link.kind !== "off") return still(link);
			const arming = { ...enter(link, "arming", at), tag: tagOf(link.nonce) };
			return ask(arming, at, { kind: "arm", seq, answer: answerTo(link.nonce), leaseMs: input.leaseMs, freezeMs: input.freezeMs });
		}
		case "beat":
			return onBeat(link, at);
		case "pose":
			return link.kind === "armed" ? { link: { ...link, seq }, send: [{ kind: "pose", seq, tag: link.tag, pulsesUs: input.pulsesUs }], news: [] } : still(link);
		case "stop":
			return link.kind === "armed" ? ask(enter(link, "stopping", at), at, { kind: "stop", seq }) : still(link);
		case "cut":
			// Said in every kind that can be said to: a cut too many harms nobody.
			if (link.kind === "closed" || link.kind === "fault" || link.kind === "greeting" || link.kind === "off")
				return { link: { ...link, seq }, send: link.kind === "closed" ? [] : [{ kind: "cut", seq }], news: [] };
			return ask(enter(link, "stopping", at), at, { kind: "cut", seq });
	}
};

/** What is overdue comes before what is asked: nothing is written to a board that does not answer any more. */
export const stepLink = (before: Link, terms: LinkTerms, input: LinkInput): LinkStep => {
	const due = input.kind === "frame" || input.kind === "opened" ? still(before) : onTime(before, input.at);
	const asked = honour(due.link, terms, input);
	return { link: asked.link, send: [...due.send, ...asked.send], news: [...due.news, ...asked.news] };
};
