// Shows that of several programs that ask for the updates of one bot exactly one goes on, that they do not fight, and that another goes on when it ends (TELL-49).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Claim, conflicted, HOLDS_AFTER_MS, lost, polled, type Turn, UNCLAIMED } from "../../core/service/telegram/polling-claim.ts";
import { until } from "../support/mesh.ts";
import { VirtualTime } from "../support/world.ts";
import { ANNA, type Chat, openChat } from "./rig.ts";

const POLL_MS = 25_000;

/** Telegram, as far as it hands out updates: an offset confirms what lies before it, and of two that wait the newer ends the older. */
class Updates {
	readonly #time: VirtualTime;
	#pending: number[] = [];
	#next = 1;
	#waiting: ((outcome: readonly number[] | "conflict") => void) | undefined;

	constructor(time: VirtualTime) {
		this.#time = time;
	}

	push(): number {
		const id = this.#next++;
		this.#pending.push(id);
		this.#waiting?.([...this.#pending]);
		return id;
	}

	ask(offset: number, waits: boolean): Promise<readonly number[] | "conflict"> {
		this.#pending = this.#pending.filter((id) => id >= offset);
		if (this.#pending.length > 0) return Promise.resolve([...this.#pending]);
		if (!waits) return Promise.resolve([]);
		this.#waiting?.("conflict");
		return new Promise((resolve) => {
			const over = (outcome: readonly number[] | "conflict"): void => {
				cancel();
				if (this.#waiting === over) this.#waiting = undefined;
				resolve(outcome);
			};
			const cancel = this.#time.after(POLL_MS, () => over([]));
			this.#waiting = over;
		});
	}
}

interface Life {
	readonly beginsMs: number;
	/** From sending a question to Telegram, and again to hearing the answer. */
	readonly latencyMs: number;
}

/** A core, as far as it asks for updates. */
class Poller {
	claim: Claim = UNCLAIMED;
	ended = false;
	readonly taken: { readonly id: number; readonly atMs: number }[] = [];
	readonly conflictsMs: number[] = [];
	#update = 0;

	async run(time: VirtualTime, bot: Updates, { beginsMs, latencyMs }: Life): Promise<void> {
		const pass = (ms: number): Promise<void> => new Promise((resolve) => time.after(ms, resolve));
		await pass(beginsMs);
		while (!this.ended) {
			const beganMs = time.nowMs;
			await pass(latencyMs);
			if (this.ended) return;
			const answer = await bot.ask(this.#update + 1, this.claim.unread === undefined);
			await pass(latencyMs);
			if (this.ended) return;
			if (answer === "conflict") this.conflictsMs.push(time.nowMs);
			const turn: Turn = answer === "conflict" ? conflicted(this.claim) : polled(this.claim, { beganMs, endedMs: time.nowMs, oldest: answer[0] });
			this.claim = turn.claim;
			if (turn.take && answer !== "conflict")
				for (const id of answer) {
					this.taken.push({ id, atMs: time.nowMs });
					this.#update = id;
				}
			if (turn.waitMs > 0) await pass(turn.waitMs);
		}
	}
}

const MINUTE_MS = 60_000;

/** So many pollers, and somebody who writes to the bot every few seconds. */
const begin = (lives: readonly Life[], everyMs: number) => {
	const time = new VirtualTime();
	const bot = new Updates(time);
	const pollers = lives.map((life) => {
		const poller = new Poller();
		void poller.run(time, bot, life);
		return poller;
	});
	const pushed: { readonly id: number; readonly atMs: number }[] = [];
	const write = (): void => {
		pushed.push({ id: bot.push(), atMs: time.nowMs });
		time.after(everyMs, write);
	};
	time.after(everyMs, write);
	return { time, pollers, pushed };
};

const takersOf = (pollers: readonly Poller[], id: number): readonly Poller[] => pollers.filter(({ taken }) => taken.some((each) => each.id === id));

describe("two cores with one bot", () => {
	test("TELL-49: whoever was first goes on; the other waits, reads nothing, and disturbs it once in two minutes at the most; then it takes over", async () => {
		const { time, pollers, pushed } = begin(
			[
				{ beginsMs: 0, latencyMs: 100 },
				{ beginsMs: MINUTE_MS, latencyMs: 100 },
			],
			7_000,
		);
		const [first, second] = pollers;
		if (first === undefined || second === undefined) throw new Error("there are two");
		await time.advance(20 * MINUTE_MS);
		const settled = pushed.filter(({ atMs }) => atMs > 2 * MINUTE_MS && atMs < 19 * MINUTE_MS);
		expect(settled.filter(({ id }) => takersOf(pollers, id).length !== 1 || takersOf(pollers, id)[0] !== first)).toEqual([]);
		expect(second.claim.stage).toBe("looks");
		expect(first.conflictsMs.filter((atMs) => atMs > 10 * MINUTE_MS).length).toBeLessThanOrEqual(5);
		first.ended = true;
		const endedMs = time.nowMs;
		await time.advance(5 * MINUTE_MS);
		expect(second.claim.stage).toBe("holds");
		// Two minutes to the next look, ten seconds of patience, and one question that may be under way.
		expect(Math.min(...second.taken.filter(({ atMs }) => atMs > endedMs).map(({ atMs }) => atMs)) - endedMs).toBeLessThan(2 * MINUTE_MS + 40_000);
		const after = pushed.filter(({ atMs }) => atMs > endedMs && atMs < time.nowMs - 10_000);
		expect(after.filter(({ id }) => takersOf(pollers, id).length !== 1)).toEqual([]);
	});

	test("TELL-49: with nobody writing at all one holds it, and the other takes over when it ends", async () => {
		const { time, pollers } = begin(
			[
				{ beginsMs: 0, latencyMs: 50 },
				{ beginsMs: 5_000, latencyMs: 300 },
			],
			1_000_000_000,
		);
		await time.advance(10 * MINUTE_MS);
		const holds = pollers.filter(({ claim }) => claim.stage === "holds" || claim.stage === "defends");
		const looks = pollers.filter(({ claim }) => claim.stage === "looks");
		expect([holds.length, looks.length]).toEqual([1, 1]);
		for (const poller of holds) poller.ended = true;
		await time.advance(3 * MINUTE_MS);
		expect(looks[0]?.claim.stage).toBe("holds");
	});

	test("TELL-49: whatever begins when, however slow: after a while each update is read by one, there is no fight, and somebody goes on when that one ends", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.record({ beginsMs: fc.integer({ min: 0, max: 120_000 }), latencyMs: fc.integer({ min: 1, max: 1_000 }) }), { minLength: 2, maxLength: 3 }),
				// At a person's pace: Telegram tells of a conflict only where somebody waits, so not while more is there than is read.
				fc.integer({ min: 5_000, max: 60_000 }),
				async (lives, everyMs) => {
					const { time, pollers, pushed } = begin(lives, everyMs);
					await time.advance(15 * MINUTE_MS);
					const fromMs = 5 * MINUTE_MS;
					const settled = pushed.filter(({ atMs }) => atMs > fromMs && atMs < 13 * MINUTE_MS);
					expect(settled.filter(({ id }) => takersOf(pollers, id).length !== 1)).toEqual([]);
					// Each look ends at most two questions: that of whoever has the bot, and the look itself.
					const conflicts = pollers.flatMap(({ conflictsMs }) => conflictsMs).filter((atMs) => atMs > fromMs).length;
					expect(conflicts).toBeLessThanOrEqual(30 * lives.length);
					const holder = pollers.find(({ claim }) => claim.stage !== "looks");
					if (holder !== undefined) holder.ended = true;
					const endedMs = time.nowMs;
					await time.advance(15 * MINUTE_MS);
					const after = pushed.filter(({ atMs }) => atMs > endedMs + 5 * MINUTE_MS && atMs < time.nowMs - 2 * MINUTE_MS);
					expect(after.filter(({ id }) => takersOf(pollers, id).length !== 1)).toEqual([]);
				},
			),
			{ numRuns: 40 },
		);
	});
});

test("TELL-49: whoever has the bot defends it once; a second conflict within 20 s, or one before it was ever undisturbed, makes it wait longer each time", () => {
	const holds = polled(UNCLAIMED, { beganMs: 0, endedMs: HOLDS_AFTER_MS }).claim;
	expect(holds.stage).toBe("holds");
	expect(polled(UNCLAIMED, { beganMs: 0, endedMs: HOLDS_AFTER_MS - 1 }).claim.stage).toBe("first");
	const defends = conflicted(holds);
	expect([defends.claim.stage, defends.waitMs]).toEqual(["defends", 3_000]);
	let turn = conflicted(defends.claim);
	const waitsMs: number[] = [];
	for (let times = 0; times < 4; times++) {
		waitsMs.push(turn.waitMs);
		turn = conflicted(turn.claim);
	}
	expect(waitsMs).toEqual([30_000, 60_000, 120_000, 120_000]);
	expect(conflicted(UNCLAIMED).claim.stage).toBe("looks");
	expect(lost(turn.claim).stage).toBe("looks");
	expect(lost(holds)).toEqual(UNCLAIMED);
	const looks = conflicted(UNCLAIMED).claim;
	const found = polled(looks, { beganMs: 50_000, endedMs: 50_100, oldest: 7 });
	expect([found.take, found.waitMs]).toEqual([false, 10_000]);
	expect(polled(found.claim, { beganMs: 60_100, endedMs: 60_200, oldest: 7 }).take).toBe(true);
	expect(polled(found.claim, { beganMs: 60_100, endedMs: 60_200, oldest: 8 })).toMatchObject({ take: false, waitMs: 60_000, claim: { stage: "looks" } });
	expect(polled(found.claim, { beganMs: 60_100, endedMs: 60_200 })).toMatchObject({ take: false, waitMs: 60_000, claim: { stage: "looks" } });
});

test("TELL-49: two data folders with one token, over the Bot API: one says that it waits, the other answers; when that one ends the waiting one goes on and says so no more", {
	timeout: 180_000,
}, async () => {
	const first = await openChat();
	const second = await openChat({ bot: first.bot });
	const chats = [first, second];
	try {
		const waits = ({ desk }: Chat): boolean => desk.noticed?.includes("this core waits until it ends") === true;
		await until("one of them waits", () => chats.some(waits) || undefined);
		first.bot.types(ANNA, "/status");
		await first.message(({ html }) => html.includes("nothing is wrong"));
		const waiting = await until("one of them waits", () => chats.find(waits));
		const [going] = chats.filter((chat) => chat !== waiting);
		await going?.channel.close();
		first.bot.types(ANNA, "/help");
		await until("an answer of the one that waited", () => first.bot.messages.find(({ html }) => html.includes("/stop stops everything that moves")), 90_000);
		await until("it says so no more", () => waiting.desk.noticed === undefined || undefined);
	} finally {
		for (const { channel } of chats) await channel.close();
		await first.bot.close();
	}
});
