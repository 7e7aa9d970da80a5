// Shows what a host says to a board over time: renewals while it is armed, a question that must be answered, and no arming of firmware that it does not know (HARM-26 to HARM-28).
import { describe, expect, test } from "vitest";
import { instant } from "../../contracts/time.ts";
import { stepLink } from "../../firmware-bridge/link.ts";
import { closedLink, type Link, type LinkInput } from "../../firmware-bridge/link-state.ts";
import { type BoardFrame, type BoardStatus, type HelloFromBoard, type HostFrame, tagOf } from "../../firmware-bridge/words.ts";

const FIRMWARE = "0123456789abcdef";
const NONCE = 0x01020304;
const hello = (seq: number, more: Partial<HelloFromBoard> = {}): HelloFromBoard => ({
	kind: "hello",
	seq,
	version: 1,
	board: "leg-board",
	firmware: FIRMWARE,
	nonce: NONCE,
	resetCause: 1,
	state: "off",
	...more,
});
const status = (seq: number, state: BoardStatus["state"]): BoardStatus => ({
	kind: "status",
	seq,
	state,
	cause: "armed",
	tag: tagOf(NONCE),
	lastSeq: 0,
	leaseLeftMs: 200,
	poweredGroups: 3,
	refused: 0,
	damaged: 0,
	uptimeMs: 0,
});

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

class Host {
	link: Link = closedLink;
	sent: HostFrame[] = [];
	atMs = 0;
	say(input: Without<LinkInput, "at">): readonly HostFrame[] {
		const step = stepLink(this.link, { firmware: FIRMWARE }, { ...input, at: instant(this.atMs) } as LinkInput);
		this.link = step.link;
		this.sent.push(...step.send);
		return step.send;
	}
	hear(frame: BoardFrame): readonly HostFrame[] {
		return this.say({ kind: "frame", frame });
	}
	/** Beats every 20 ms; a board that answers answers at once. */
	beats(forMs: number, answers: boolean): void {
		for (let end = this.atMs + forMs; this.atMs < end; this.atMs += 20)
			for (const frame of this.say({ kind: "beat" })) if (answers && frame.kind === "status") this.hear(status(frame.seq, "armed"));
	}
	armed(): this {
		this.say({ kind: "opened" });
		this.hear(hello(1));
		this.say({ kind: "arm", leaseMs: 200, freezeMs: 2_000 });
		this.hear(status(this.link.seq, "armed"));
		expect(this.link.kind).toBe("armed");
		return this;
	}
}

describe("the link", () => {
	test("HARM-26 answers the nonce, and renews at least every 60 ms from the loop, with rising seq", () => {
		const host = new Host().armed();
		expect(host.sent.find((frame) => frame.kind === "arm")).toMatchObject({ answer: ~NONCE >>> 0 });
		host.sent = [];
		host.beats(1_200, true);
		const renewals = host.sent.filter((frame) => frame.kind === "renew");
		expect(renewals.length).toBeGreaterThanOrEqual(20);
		const seqs = host.sent.map(({ seq }) => seq);
		expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
	});

	test("HARM-28 a board that does not answer is at fault within 320 ms, and is told to cut", () => {
		const host = new Host().armed();
		host.beats(320, false);
		expect(host.link).toMatchObject({ kind: "fault", fault: "no-answer" });
		expect(host.sent.at(-1)?.kind).toBe("cut");
		host.beats(1_000, false);
		expect(host.link.kind).toBe("fault");
	});

	test("HARM-28 other firmware or another version is never armed", () => {
		for (const [more, fault] of [
			[{ firmware: "ffffffffffffffff" }, "other-firmware"],
			[{ version: 2 }, "other-version"],
		] as const) {
			const host = new Host();
			host.say({ kind: "opened" });
			host.hear(hello(1, more));
			host.say({ kind: "arm", leaseMs: 200, freezeMs: 2_000 });
			expect(host.link).toMatchObject({ kind: "fault", fault });
			expect(host.sent.some((frame) => frame.kind === "arm")).toBe(false);
		}
	});

	test("HARM-28 an unasked hello while armed is a reset, and a fault", () => {
		const host = new Host().armed();
		host.hear(hello(0));
		expect(host.link).toMatchObject({ kind: "fault", fault: "board-reset" });
	});
});
