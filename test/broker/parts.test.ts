// Shows that waiting ends, that checks of passwords are few at a time, and that a password is right only as long as it is.
import { describe, expect, test, vi } from "vitest";
import { Deadline } from "../../broker/deadline.ts";
import { hashPassword, rememberingVerifier, verifyPassword } from "../../broker/passwords.ts";
import { Thanks } from "../../broker/thanks.ts";
import { Turnstile } from "../../broker/turnstile.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("passwords", () => {
	test("the right one is right, others are not, and the same one is never kept alike", async () => {
		const stored = await hashPassword("correct horse");
		expect(stored).toMatch(/^scrypt\$16384\$8\$1\$[A-Za-z0-9_-]{22}\$[A-Za-z0-9_-]{43}$/);
		expect(await verifyPassword(bytes("correct horse"), stored)).toBe(true);
		for (const wrong of ["correct hors", "correct horse ", "", "Correct horse"]) expect(await verifyPassword(bytes(wrong), stored)).toBe(false);
		expect(await hashPassword("correct horse")).not.toBe(stored);
	});
	test("a stored text that was tampered with is no hash, and costs nothing", async () => {
		const stored = await hashPassword("x");
		const [, , , , salt, hash] = stored.split("$");
		const bad = [
			"",
			"x",
			`md5$1$1$1$${salt}$${hash}`,
			`scrypt$16383$8$1$${salt}$${hash}`,
			`scrypt$1048576$99$99$${salt}$${hash}`,
			`scrypt$16384$0$1$${salt}$${hash}`,
			`scrypt$16384$8$1$${salt}$`,
			`scrypt$16384$8$1$$${hash}`,
			`${stored}$`,
		];
		for (const text of bad) expect([text, await verifyPassword(bytes("x"), text)]).toEqual([text, false]);
		expect(await verifyPassword(new Uint8Array(2_000), stored)).toBe(false);
	});
	test("a right answer is remembered for ten minutes; a renewed password and a wrong answer never are", async () => {
		const clock = { nowMs: 0 };
		const verify = vi.fn((password: Uint8Array, stored: string) => Promise.resolve(stored === `hash of ${Buffer.from(password).toString()}`));
		const check = rememberingVerifier(() => clock.nowMs, verify);
		expect(await check(bytes("a"), "hash of a")).toBe(true);
		expect(await check(bytes("a"), "hash of a")).toBe(true);
		expect(verify).toHaveBeenCalledTimes(1);
		expect(await check(bytes("a"), "hash of b")).toBe(false);
		expect(await check(bytes("a"), "hash of b")).toBe(false);
		expect(verify).toHaveBeenCalledTimes(3);
		clock.nowMs = 600_001;
		expect(await check(bytes("a"), "hash of a")).toBe(true);
		expect(verify).toHaveBeenCalledTimes(4);
		// The boundary between stored text and password cannot be moved.
		expect(await check(bytes("of aa"), "hash ")).toBe(false);
	});
	test("what is remembered is bounded", async () => {
		const verify = vi.fn(() => Promise.resolve(true));
		const check = rememberingVerifier(() => 0, verify);
		for (let index = 0; index < 1_025; index += 1) await check(bytes(String(index)), "s");
		await check(bytes("0"), "s");
		expect(verify).toHaveBeenCalledTimes(1_026);
	});
});

describe("the turnstile", () => {
	test("lets two through at a time, keeps three waiting in order, and turns the rest away", async () => {
		const turnstile = new Turnstile(2, 3);
		const release: (() => void)[] = [];
		const began: number[] = [];
		const work = (name: number) => (): Promise<number> => {
			began.push(name);
			return new Promise((resolve) => {
				release.push(() => resolve(name));
			});
		};
		const passes = [0, 1, 2, 3, 4, 5, 6].map((name) => turnstile.pass(work(name)));
		expect(await passes[5]).toBeUndefined();
		expect(await passes[6]).toBeUndefined();
		expect(began).toEqual([0, 1]);
		for (let index = 0; index < 5; index += 1) {
			release[index]?.();
			expect(await passes[index]).toBe(index);
			await Promise.resolve();
		}
		expect(began).toEqual([0, 1, 2, 3, 4]);
		const after = turnstile.pass(() => Promise.resolve("free again"));
		expect(await after).toBe("free again");
	});
	test("work that fails gives its place back", async () => {
		const turnstile = new Turnstile(1, 1);
		await expect(turnstile.pass(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
		expect(await turnstile.pass(() => Promise.resolve(1))).toBe(1);
	});
});

describe("the deadline", () => {
	test("gives the result, the failure or the end of patience: exactly one of them", async () => {
		vi.useFakeTimers();
		try {
			const deadline = new Deadline(500, () => performance.now());
			const said: unknown[] = [];
			let finish: (value: string) => void = () => undefined;
			deadline.race(Promise.resolve("done"), (outcome) => said.push(["quick", outcome]));
			deadline.race(Promise.reject(new Error("no")), (outcome) => said.push(["broken", outcome]));
			deadline.race(
				new Promise<string>((resolve) => {
					finish = resolve;
				}),
				(outcome) => said.push(["slow", outcome]),
			);
			await vi.advanceTimersByTimeAsync(499);
			expect(said).toEqual([
				["quick", { value: "done" }],
				["broken", "failed"],
			]);
			await vi.advanceTimersByTimeAsync(2);
			expect(said.slice(2)).toEqual([["slow", "late"]]);
			finish("too late");
			await vi.advanceTimersByTimeAsync(1_000);
			expect(said).toHaveLength(3);
		} finally {
			vi.useRealTimers();
		}
	});
	test("each wait has its own end", async () => {
		vi.useFakeTimers();
		try {
			const deadline = new Deadline(100, () => performance.now());
			const late: number[] = [];
			const never = new Promise<never>(() => undefined);
			deadline.race(never, () => late.push(1));
			await vi.advanceTimersByTimeAsync(60);
			deadline.race(never, () => late.push(2));
			await vi.advanceTimersByTimeAsync(45);
			expect(late).toEqual([1]);
			await vi.advanceTimersByTimeAsync(60);
			expect(late).toEqual([1, 2]);
		} finally {
			vi.useRealTimers();
		}
	});
	test("thousands at a time that end in any order: each is told once, in time or late, and each end is known", async () => {
		vi.useFakeTimers();
		try {
			const deadline = new Deadline(100, () => performance.now());
			const told: unknown[][] = [];
			let ended = 0;
			const finish: (() => void)[] = [];
			for (let number = 0; number < 5_000; number += 1) {
				const work = new Promise<number>((resolve) => {
					finish.push(() => resolve(number));
				});
				told.push([]);
				deadline.race(
					work,
					(outcome) => told[number]?.push(outcome),
					() => {
						ended += 1;
					},
				);
				// One in three ends soon, out of order: what is over lies between what is not.
				if (number % 3 === 0 || number < 100) finish[number - (number % 7 === 0 || number < 100 ? 0 : 3)]?.();
				// Some of the oldest are over before the rest has begun.
				if (number === 200) await vi.advanceTimersByTimeAsync(0);
			}
			await vi.advanceTimersByTimeAsync(0);
			const inTime = told.filter((outcomes) => outcomes.length === 1).length;
			expect(inTime).toBeGreaterThan(1_000);
			expect(ended).toBe(inTime);
			await vi.advanceTimersByTimeAsync(101);
			expect(told.every((outcomes) => outcomes.length === 1)).toBe(true);
			expect(told.flat().filter((outcome) => outcome === "late")).toHaveLength(5_000 - inTime);
			for (const end of finish) end();
			await vi.advanceTimersByTimeAsync(0);
			expect([ended, told.flat().length]).toEqual([5_000, 5_000]);
			expect(told.flatMap(([outcome], number) => (outcome === "late" || (outcome as { value: number }).value === number ? [] : [number]))).toEqual([]);
		} finally {
			vi.useRealTimers();
		}
	});
});

describe("acknowledgements", () => {
	const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

	test("of one turn leave in one write, in their order, as MQTT has them; later ones in another", async () => {
		const written: string[] = [];
		const thanks = new Thanks({ writable: true, write: (sent) => written.push(Buffer.from(sent).toString("hex")) });
		for (const messageId of [1, 0xffff, 0x0102]) thanks.give(messageId);
		expect(written).toEqual([]);
		await turn();
		expect(written).toEqual(["400200014002ffff40020102"]);
		thanks.give(7);
		await turn();
		expect(written).toEqual(["400200014002ffff40020102", "40020007"]);
	});

	test("are not written to who is gone", async () => {
		const outgoing = { writable: true, write: vi.fn() };
		const thanks = new Thanks(outgoing);
		thanks.give(1);
		outgoing.writable = false;
		await turn();
		expect(outgoing.write).not.toHaveBeenCalled();
	});
});
