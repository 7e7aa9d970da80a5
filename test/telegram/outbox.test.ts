// Shows that what is to be said in a chat is tried again after a fault, and never once its time is over (HARM-94).
import { expect, test } from "vitest";
import { instant, wallTime } from "../../contracts/time.ts";
import { ChatOutbox } from "../../core/service/telegram/outbox.ts";
import { ChatFault } from "../../core/service/telegram/ports.ts";
import { settle, VirtualTime } from "../support/world.ts";

test.each([
	[10_000, 2, []],
	[500, 1, ["its time was over"]],
] as const)("down at first, good for %d ms: said %d times", async (forMs, times, drops) => {
	const time = new VirtualTime();
	const dropped: string[] = [];
	let said = 0;
	const outbox = new ChatOutbox({ clock: { now: () => instant(time.nowMs), wall: () => wallTime(0) }, timers: time, fault: () => undefined });
	outbox.put({
		key: "k",
		chat: 1,
		untilMs: forMs,
		say: () => {
			said += 1;
			return said === 1 ? Promise.reject(new ChatFault("down", "no answer")) : Promise.resolve();
		},
		dropped: (why) => dropped.push(why),
	});
	await settle();
	await time.advance(5_000);
	expect(said).toBe(times);
	expect(dropped).toEqual(drops);
});
