// Shows that a sign of life is given by a turn of the safety loop and by nothing else: not by time, not before ready, not after the end, never two at once (HARM-116).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Supervisor } from "../../agents/roles/supervisor.ts";
import { instant } from "../../contracts/time.ts";

const WATCHDOG_MS = 30_000;

const supervised = (watchdogMs: number | undefined = WATCHDOG_MS) => {
	const said: string[] = [];
	const at = { ms: 1_000 };
	let waiting = 0;
	const carrier = {
		say: (word: string) => {
			said.push(word);
			waiting += 1;
		},
		waiting: () => waiting,
	};
	const supervisor = new Supervisor({ carrier, watchdogMs, now: () => instant(at.ms) });
	return {
		said,
		at,
		supervisor,
		taken: () => {
			waiting = 0;
		},
	};
};

describe("HARM-116 a sign of life", () => {
	test("comes three times in the time after which the supervisor gives up, as long as the loop turns", () => {
		const { said, at, supervisor, taken } = supervised();
		supervisor.ready();
		for (let turns = 0; turns < 3_000; turns += 1) {
			taken();
			at.ms += 20;
			supervisor.turned();
		}
		expect(said).toEqual(["READY=1", ...Array.from({ length: 6 }, () => "WATCHDOG=1")]);
	});

	test("does not come by itself: a loop that stands still is silent, however long", () => {
		const { said, at, supervisor, taken } = supervised();
		supervisor.ready();
		taken();
		at.ms += 10 * WATCHDOG_MS;
		expect(said).toEqual(["READY=1"]);
	});

	test("nobody waits for it: none is given; nobody supervises: nothing is said", () => {
		const { said, at, supervisor, taken } = supervised(0);
		const silent = new Supervisor({ carrier: { say: (word) => said.push(word), waiting: () => 0 }, watchdogMs: undefined, now: () => instant(at.ms) });
		silent.ready();
		silent.turned();
		taken();
		const alone = new Supervisor(undefined);
		alone.ready();
		alone.turned();
		alone.stopping();
		supervisor.stopping();
		expect(said).toEqual(["READY=1", "STOPPING=1"]);
	});

	test("whatever happens: only turns between ready and the end give one, none too soon after the last, none while one waits", () => {
		const step = fc.oneof(
			{ weight: 30, arbitrary: fc.constant({ do: "turn" as const }) },
			{ weight: 3, arbitrary: fc.constant({ do: "ready" as const }) },
			{ weight: 1, arbitrary: fc.constant({ do: "stopping" as const }) },
			{ weight: 30, arbitrary: fc.constant({ do: "taken" as const }) },
			{ weight: 30, arbitrary: fc.integer({ min: 0, max: WATCHDOG_MS }).map((ms) => ({ do: "wait" as const, ms })) },
		);
		const seen = { signs: 0, waited: 0 };
		fc.assert(
			fc.property(fc.array(step, { minLength: 40, maxLength: 80 }), (steps) => {
				const { said, at, supervisor, taken } = supervised();
				const model = { ready: false, stopping: false, waiting: 0, signAt: Number.NEGATIVE_INFINITY };
				for (const each of steps) {
					const before = said.length;
					if (each.do === "wait") at.ms += each.ms;
					else if (each.do === "taken") {
						taken();
						model.waiting = 0;
					} else if (each.do === "ready") {
						supervisor.ready();
						model.ready = true;
						model.waiting += 1;
						expect(said.slice(before)).toEqual(["READY=1"]);
					} else if (each.do === "stopping") {
						supervisor.stopping();
						expect(said.slice(before)).toEqual(model.stopping ? [] : ["STOPPING=1"]);
						model.waiting += model.stopping ? 0 : 1;
						model.stopping = true;
					} else {
						supervisor.turned();
						const isDue = at.ms - model.signAt >= WATCHDOG_MS / 3;
						const gives = model.ready && !model.stopping && model.waiting === 0 && isDue;
						expect(said.slice(before)).toEqual(gives ? ["WATCHDOG=1"] : []);
						if (model.ready && !model.stopping && isDue && model.waiting > 0) seen.waited += 1;
						if (!gives) continue;
						seen.signs += 1;
						model.signAt = at.ms;
						model.waiting = 1;
					}
				}
			}),
			{ numRuns: 500 },
		);
		expect(seen.signs).toBeGreaterThan(50);
		expect(seen.waited).toBeGreaterThan(10);
	});
});
