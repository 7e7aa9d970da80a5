// Shows what a chat does as time passes: counts down, reminds once, gathers what is too much, falls silent and wakes up, and never leaves a live button behind (TELL-51..56, HARM-97).
import { afterEach, describe, expect, test } from "vitest";
import { ChatFault } from "../../core/service/telegram/ports.ts";
import { VirtualChat } from "./virtual-chat.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const opened: VirtualChat[] = [];
const open = async (asksPerHour?: number): Promise<VirtualChat> => {
	const chat = await VirtualChat.open(asksPerHour);
	opened.push(chat);
	return chat;
};
afterEach(async () => {
	for (const chat of opened.splice(0)) await chat.close();
});

const asked = async (chat: VirtualChat, decideInMs = 10 * MINUTE_MS, approval = "apr-00112233aabb") => {
	const ask = chat.desk.ask({ approval, decideInMs });
	await chat.pass(5 * SECOND_MS);
	const message = chat.telegram.messages.find(({ html, buttons }) => html.includes(approval) && buttons.length > 0);
	if (message === undefined) throw new Error("it was not asked");
	return { ask, id: message.id, now: () => chat.telegram.messages[message.id - 1] };
};
const live = (chat: VirtualChat) => chat.telegram.messages.filter(({ buttons }) => buttons.length > 0);

describe("the countdown", () => {
	test("TELL-51: is written anew each minute, in the same message, with its buttons; then the message ends without them", async () => {
		const chat = await open();
		const { now } = await asked(chat);
		for (let minute = 10; minute > 1; minute--) {
			expect(now()?.html).toContain(`(in ${minute} min)`);
			expect(now()?.buttons).toHaveLength(4);
			await chat.pass(MINUTE_MS);
		}
		await chat.pass(MINUTE_MS);
		expect(now()?.html).toContain("Expired: nobody answered");
		const texts = now()?.texts.map(({ html }) => html) ?? [];
		expect(texts.filter((text) => text.includes("less than a minute"))).not.toEqual([]);
		// Sent, given its buttons, nine more minutes and less than one, the end.
		expect(texts.length).toBeLessThanOrEqual(13);
		expect(live(chat)).toEqual([]);
		expect(chat.telegram.messages).toHaveLength(1);
	});

	test("TELL-51: goes on while it is asked whether really; what is asked stays what it was", async () => {
		const chat = await open();
		const { id, now } = await asked(chat);
		expect(await chat.tap(id, "Approve")).toContain("next tap");
		await chat.pass(3 * MINUTE_MS);
		expect(now()?.html).toContain("Really?");
		expect(now()?.html).toContain("(in 7 min)");
		expect(await chat.tap(id, "Yes, let it run")).toBe("Approved.");
		expect(chat.desk.executed).toHaveLength(1);
	});
});

test("TELL-56: an ask is sent at once, at whatever moment of dealing with another one it comes", async () => {
	for (let moment = 0; moment < 40; moment++) {
		const chat = await open();
		chat.desk.ask({ approval: "apr-00000000000a" });
		for (let step = 0; step < moment; step++) await Promise.resolve();
		chat.desk.ask({ approval: "apr-00000000000b" });
		await chat.pass(5 * SECOND_MS);
		expect([moment, live(chat).length]).toEqual([moment, 2]);
	}
});

describe("a fault that passes", () => {
	test.each(["down", "rate"] as const)(
		"TELL-52: %s while updates are asked for: said, and said no more once Telegram answers, though nobody writes",
		async (kind) => {
			const chat = await open();
			chat.telegram.failing.set("updates", new ChatFault(kind, "for a while", 5 * SECOND_MS));
			await chat.pass(2 * MINUTE_MS);
			expect(chat.desk.noticed).toContain(kind === "down" ? "does not answer" : "asks to wait");
			chat.telegram.failing.clear();
			await chat.pass(2 * MINUTE_MS);
			expect(chat.desk.noticed).toBeUndefined();
		},
	);

	test("TELL-52: an ask that could not be sent until it expired: never delivered, and the notice ends though nothing is sent any more", async () => {
		const chat = await open();
		chat.telegram.failing.set("send", new ChatFault("down", "no answer"));
		chat.desk.ask({ decideInMs: 3 * MINUTE_MS });
		await chat.pass(MINUTE_MS);
		expect(chat.desk.noticed).toContain("1 messages wait");
		await chat.pass(3 * MINUTE_MS);
		chat.telegram.failing.clear();
		await chat.pass(2 * MINUTE_MS);
		expect(chat.desk.noticed).toBeUndefined();
		expect(chat.telegram.messages).toEqual([]);
	});
});

describe("a quiet week", () => {
	test("TELL-53: Telegram counts from wherever it likes after it; who writes then is heard, once", async () => {
		const chat = await open();
		chat.telegram.nextUpdate = 900_000;
		chat.types("/status");
		await chat.pass(MINUTE_MS);
		expect(chat.saying("nothing is wrong")).toHaveLength(1);
		expect(chat.telegram.offset).toBe(900_001);
		chat.desk.skippedMs += 8 * DAY_MS;
		chat.telegram.nextUpdate = 1_000;
		await chat.pass(MINUTE_MS);
		expect(chat.telegram.offset).toBe(1);
		chat.types("/status");
		await chat.pass(5 * MINUTE_MS);
		expect(chat.saying("nothing is wrong")).toHaveLength(2);
		expect(chat.telegram.offset).toBe(1_001);
		expect(chat.desk.noticed).toBeUndefined();
	});

	test("TELL-53: within the week an older number is an old update, also after a restart", async () => {
		const chat = await open();
		chat.telegram.nextUpdate = 900_000;
		chat.types("/status");
		await chat.pass(MINUTE_MS);
		chat.desk.skippedMs += 5 * DAY_MS;
		await chat.close();
		await chat.start();
		await chat.pass(MINUTE_MS);
		expect(chat.telegram.offset).toBe(900_001);
	});

	test("TELL-53: who asked for silence has it as long as it was asked for, also after a restart, and is asked again then", async () => {
		const chat = await open();
		chat.types("/mute 24h");
		await chat.pass(MINUTE_MS);
		chat.desk.skippedMs += 23 * HOUR_MS;
		await chat.close();
		await chat.start();
		chat.desk.ask({ approval: "apr-00000000000a" });
		await chat.pass(5 * MINUTE_MS);
		expect(live(chat)).toEqual([]);
		chat.desk.skippedMs += HOUR_MS;
		chat.desk.ask({ approval: "apr-00000000000b" });
		await chat.pass(MINUTE_MS);
		expect(live(chat)).toHaveLength(1);
	});
});

describe("Snooze", () => {
	test("TELL-54: reminds once, before it expires, however often it is tapped and core is started anew, and moves no deadline", async () => {
		const chat = await open();
		const { ask, id, now } = await asked(chat);
		const deadlineMs = chat.desk.engineMs() + (chat.desk.asks()[0]?.decideInMs ?? 0);
		expect(await chat.tap(id, "Snooze")).toContain("in 5 min");
		expect(await chat.tap(id, "Snooze")).toContain("It expires all the same");
		await chat.close();
		await chat.start();
		await chat.pass(4 * MINUTE_MS);
		expect(chat.saying("Still open")).toHaveLength(0);
		await chat.pass(90 * SECOND_MS);
		const [reminder] = chat.saying("Still open");
		expect(reminder?.html).toContain(`/approve ${ask.approval}`);
		expect(reminder?.sentMs).toBeLessThan(deadlineMs - MINUTE_MS);
		expect(await chat.tap(id, "Snooze")).toContain("I came back to it once");
		await chat.close();
		await chat.start();
		await chat.pass(deadlineMs - chat.desk.engineMs() - SECOND_MS);
		expect(now()?.buttons).toHaveLength(4);
		await chat.pass(30 * SECOND_MS);
		expect(now()?.html).toContain("Expired");
		expect(chat.saying("Still open")).toHaveLength(1);
		expect(live(chat)).toEqual([]);
	});

	test("TELL-54: with little time left it still comes before the end; answered before, it does not come at all", async () => {
		const chat = await open();
		const { id } = await asked(chat, 90 * SECOND_MS);
		await chat.tap(id, "Snooze");
		await chat.pass(75 * SECOND_MS);
		expect(chat.saying("Still open")).toHaveLength(1);
		const other = await asked(chat, 10 * MINUTE_MS, "apr-00000000000b");
		await chat.tap(other.id, "Snooze");
		expect(await chat.tap(other.id, "Deny")).toBe("Denied: nothing is done.");
		await chat.pass(20 * MINUTE_MS);
		expect(chat.saying("Still open")).toHaveLength(1);
	});
});

describe("more than an hour may bring", () => {
	const name = (n: number): string => `apr-0000000000${String(n).padStart(2, "0")}`;

	test("TELL-55: what is too much is named in one message, not in one for each; the next hour asks again", async () => {
		const chat = await open(2);
		for (let n = 0; n < 30; n++) {
			chat.desk.ask({ approval: name(n), title: `ask ${n}`, decideInMs: 3 * HOUR_MS });
			await chat.pass(2 * SECOND_MS);
		}
		await chat.pass(10 * MINUTE_MS);
		expect(live(chat)).toHaveLength(2);
		const digests = chat.saying("more approval");
		expect(digests.length).toBeLessThanOrEqual(2);
		expect(digests.at(-1)?.html).toContain("28 more approvals wait");
		expect(digests.at(-1)?.html).toContain("and 8 more: orion approvals");
		chat.types(`/approve ${name(7)}`);
		await chat.pass(MINUTE_MS);
		expect(live(chat)).toHaveLength(3);
		await chat.pass(HOUR_MS);
		expect(live(chat).length).toBeGreaterThan(3);
	});

	test("TELL-55: one of them that ends is no news", async () => {
		const chat = await open(1);
		for (let n = 0; n < 5; n++) chat.desk.ask({ approval: name(n), title: `ask ${n}`, decideInMs: (n + 4) * MINUTE_MS });
		await chat.pass(12 * MINUTE_MS);
		expect(chat.saying("more approval")).toHaveLength(1);
		expect(live(chat)).toEqual([]);
	});
});

describe("no live buttons are left behind", () => {
	test.each([
		["a minute", 11 * MINUTE_MS, "Expired"],
		["two days", 2 * DAY_MS, "This is over"],
	])("HARM-97: core was away when it expired, for %s: the message ends at the next start", async (_for, awayMs, says) => {
		const chat = await open();
		const { now } = await asked(chat);
		await chat.close();
		chat.desk.skippedMs += awayMs;
		expect(live(chat)).toHaveLength(1);
		await chat.start();
		await chat.pass(MINUTE_MS);
		expect(now()?.html).toContain(says);
		expect(live(chat)).toEqual([]);
	});

	test("HARM-97: Telegram took no edits for three days after it expired: the message ends when it does again, without a start", {
		timeout: 120_000,
	}, async () => {
		const chat = await open();
		const { now } = await asked(chat);
		chat.telegram.failing.set("edit", new ChatFault("down", "no answer"));
		await chat.pass(30 * MINUTE_MS);
		chat.desk.skippedMs += 3 * DAY_MS;
		await chat.pass(25 * HOUR_MS);
		expect(live(chat)).toHaveLength(1);
		chat.telegram.failing.clear();
		await chat.pass(10 * MINUTE_MS);
		expect(live(chat)).toEqual([]);
		expect(now()?.html).toContain("Expired");
		expect(chat.desk.noticed).toBeUndefined();
	});

	test("HARM-97: shown again while Telegram took no edits: the one before loses its buttons, also a day later", { timeout: 120_000 }, async () => {
		const chat = await open();
		const { ask, id } = await asked(chat, 3 * DAY_MS);
		chat.telegram.failing.set("edit", new ChatFault("down", "no answer"));
		chat.types(`/approve ${ask.approval}`);
		await chat.pass(26 * HOUR_MS);
		expect(chat.telegram.messages[id - 1]?.buttons).toHaveLength(4);
		chat.telegram.failing.clear();
		await chat.pass(10 * MINUTE_MS);
		expect(chat.telegram.messages[id - 1]?.buttons).toEqual([]);
	});
});
