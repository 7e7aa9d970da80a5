// Shows that a signed command has at most one effect and always an honest answer: over forgery of every byte, crashes at every fsync, repeats and full disks (HARM-3, HARM-4, HARM-8).
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ActionCommand } from "../../contracts/gen/types.ts";
import { CommandJournal } from "../../edge/command-journal.ts";
import { Commands, type Outcome, type Runner } from "../../edge/commands.ts";
import { type Heard, nothingHeard } from "../../edge/machines/beacon.ts";
import type { Receipt } from "../../edge/machines/marks.ts";
import type { SessionStore } from "../../edge/session.ts";
import { commandOf, Disk, keysOf, Notes, noSweep, OTHER_POLICY, POLICY, Signer, VirtualTime } from "./world.ts";

const core = new Signer();
const stranger = new Signer();
const SESSION = "5.00000000000000aa";

const sessionsAt = (tick: number): SessionStore => ({
	current: () => ({ id: SESSION, counter: 5, tick: () => tick }),
	isBehind: () => false,
	begin: () => Promise.reject(new Error("no new session in these tests")),
});

/** A service that counts what was done to it; what happened to it survives the agent. */
class Effects implements Runner {
	readonly ran: string[] = [];
	readonly probed: string[] = [];
	outcome: Outcome = { phase: "done", result: { pid: 7 } };
	hold: Promise<void> | undefined;
	onRun: () => void = () => undefined;
	actions() {
		return { "process.restart": { service: ["web"] }, "process.stop": { service: ["web"] } };
	}
	async run(_action: string, _args: unknown, command: string): Promise<Outcome> {
		this.onRun();
		this.ran.push(command);
		await this.hold;
		return this.outcome;
	}
	probe(_action: string, _args: unknown, command: string): Promise<Outcome> {
		this.probed.push(command);
		return Promise.resolve(this.ran.includes(command) ? this.outcome : { phase: "unknown", reason: "agent-died" });
	}
}

const heardPolicy = (): Heard => ({ ...nothingHeard({ counter: 3, keyId: core.keyId }), policies: { current: POLICY, previous: undefined } });

interface Life {
	readonly commands: Commands;
	readonly journal: CommandJournal;
	readonly said: Receipt[];
	readonly time: VirtualTime;
	readonly notes: Notes;
}

const live = async (
	disk: Disk,
	runner: Runner,
	change: { tick?: number; heard?: () => Heard; safety?: "boot" | "working" | "alone" | "stopped" } = {},
): Promise<Life> => {
	const time = new VirtualTime();
	const notes = new Notes();
	const said: Receipt[] = [];
	const journal = await CommandJournal.open(disk.log(), 5, noSweep);
	const commands = new Commands({
		mesh: "mesh-1",
		node: "pi-1",
		keys: keysOf(core),
		sessions: sessionsAt(change.tick ?? 1_500),
		journal,
		runner,
		heard: change.heard ?? heardPolicy,
		safety: () => change.safety ?? "working",
		stoppedBy: () => (change.safety === "stopped" ? "peter" : undefined),
		say: (receipt) => {
			said.push(receipt);
			return Promise.resolve();
		},
		timers: time,
		note: notes.note,
	});
	return { commands, journal, said, time, notes };
};

const born = async (change: Parameters<typeof live>[2] = {}) => {
	const disk = new Disk();
	const effects = new Effects();
	const life = await live(disk, effects, change);
	await life.commands.recover();
	return { disk, effects, ...life };
};

const receive = async ({ commands, time }: Life, change: Partial<ActionCommand> = {}, signer = core): Promise<void> => {
	const command = commandOf(core, change);
	void commands.receive(command.action, signer.command(command));
	await time.settle();
};

describe("HARM-4: only what core signed, exactly as it signed it", () => {
	test("a good command runs once and is answered accepted, then done", async () => {
		const life = await born();
		await receive(life);
		expect(life.effects.ran).toEqual(["act-1"]);
		expect(life.said.map(({ phase }) => phase)).toEqual(["accepted", "done"]);
	});

	test("every single bit of it flipped: never an effect, always a typed refusal", async () => {
		const bytes = core.command(commandOf(core));
		const life = await born();
		for (let index = 0; index < bytes.length; index++) {
			for (let bit = 0; bit < 8; bit++) {
				const flipped = Uint8Array.from(bytes);
				flipped[index] = (flipped[index] ?? 0) ^ (1 << bit);
				await life.commands.receive("process.restart", flipped);
			}
		}
		await life.time.settle();
		expect(life.effects.ran).toEqual([]);
		expect(life.said.length).toBe(bytes.length * 8);
		for (const { phase, reason, command } of life.said) {
			expect(phase).toBe("refused");
			expect(["malformed", "bad-signature", "unknown-key"]).toContain(reason);
			expect(command).toMatch(/^refused-[0-9a-f]{16}$/);
		}
	});

	test("any bytes at all: never an effect, always a typed refusal", async () => {
		const life = await born();
		await fc.assert(
			fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
				const before = life.said.length;
				await life.commands.receive("process.restart", bytes);
				expect(life.said.slice(before).map(({ phase }) => phase)).toEqual(["refused"]);
			}),
			{ numRuns: 300 },
		);
		expect(life.effects.ran).toEqual([]);
	});

	test.each<[string, string, Partial<ActionCommand>]>([
		["node", "other-node", { node: "pi-2" }],
		["mesh", "other-mesh", { mesh: "mesh-2" }],
		["unknown service", "args-wrong", { args: { service: "mail" } }],
		["session", "other-session", { session: "5.00000000000000ab" }],
		["term", "core-deposed", { coreTerm: { counter: 2, keyId: core.keyId } }],
		["policy", "policy-unknown", { policyHash: OTHER_POLICY }],
		["age", "too-old", { notAfterMs: 10 }],
		["future", "tick-from-the-future", { tick: 1_501 }],
	])("signed, but with another %s: %s", async (_, reason, change) => {
		const life = await born();
		await receive(life, change);
		expect(life.effects.ran).toEqual([]);
		expect(life.said).toMatchObject([{ phase: "refused", reason }]);
	});

	test("signed by somebody else", async () => {
		const life = await born();
		await receive(life, {}, stranger);
		expect(life.said).toMatchObject([{ phase: "refused", reason: "unknown-key" }]);
		expect(life.effects.ran).toEqual([]);
	});

	test("a beacon is no command, another header is none, a payload that says a key twice is none", async () => {
		const life = await born();
		const payload = JSON.stringify(commandOf(core));
		const twice = payload.replace('"node":"pi-1"', '"node":"pi-2","node":"pi-1"');
		const header = { alg: "EdDSA", kid: core.keyId, typ: "orion-command+jws" };
		const tries = [
			core.sign("orion-beacon+jws", commandOf(core)),
			core.sign("orion-command+jws", commandOf(core), { ...header, crit: ["x"] }),
			core.sign("orion-command+jws", commandOf(core), { typ: "orion-command+jws", alg: "EdDSA", kid: core.keyId }),
			core.sign("orion-command+jws", commandOf(core), { ...header, alg: "none" }),
			core.sign("orion-command+jws", twice),
			core.sign("orion-command+jws", ` ${payload}`),
			Buffer.concat([core.command(commandOf(core)), Buffer.from(".")]),
		];
		for (const bytes of tries) await life.commands.receive("process.restart", bytes);
		await life.time.settle();
		expect(life.effects.ran).toEqual([]);
		expect(life.said.map(({ reason }) => reason)).toEqual(tries.map(() => "malformed"));
	});

	test("unknown fields in a command are a violation", async () => {
		const life = await born();
		await life.commands.receive("process.restart", core.sign("orion-command+jws", { ...commandOf(core), also: 1 }));
		expect(life.said).toMatchObject([{ phase: "refused", reason: "contract-violated" }]);
	});

	test("before what was left open is settled, nothing is accepted", async () => {
		const life = await live(new Disk(), new Effects());
		await receive(life);
		expect(life.said).toMatchObject([{ phase: "refused", reason: "booting" }]);
	});

	test("a core that was heard on the beacon deposes an older one at once, and across restarts", async () => {
		const disk = new Disk();
		const effects = new Effects();
		const heard = (): Heard => ({ ...heardPolicy(), term: { counter: 9, keyId: core.keyId } });
		const first = await live(disk, effects, { heard });
		await first.commands.recover();
		await receive(first);
		expect(first.said).toMatchObject([{ reason: "core-deposed" }]);
		await first.commands.termRaised({ counter: 9, keyId: core.keyId });
		const second = await live(disk, effects);
		await second.commands.recover();
		await receive(second);
		expect(second.said).toMatchObject([{ reason: "core-deposed", marks: { coreTermCounter: 9 } }]);
		expect(effects.ran).toEqual([]);
	});
});

describe("HARM-3: at most one effect", () => {
	test("the same bytes ten times, at once and later: one effect, and the later ones get the same answer", async () => {
		const life = await born();
		let release: () => void = () => undefined;
		life.effects.hold = new Promise((resolve) => {
			release = resolve;
		});
		for (let times = 0; times < 5; times++) await receive(life);
		expect(life.said.map(({ phase, repeat }) => `${phase}${repeat === true ? " again" : ""}`)).toEqual(["accepted", ...Array(4).fill("started again")]);
		release();
		await life.time.settle();
		for (let times = 0; times < 5; times++) await receive(life);
		const finals = life.said.filter(({ phase }) => phase === "done");
		expect(finals).toHaveLength(6);
		for (const final of finals.slice(1)) expect(final).toEqual({ ...finals[0], repeat: true });
		expect(life.effects.ran).toEqual(["act-1"]);
	});

	test("one that is overtaken is refused, and its effect never comes", async () => {
		const life = await born();
		await receive(life, { command: "act-2", seq: 11 });
		await receive(life, { command: "act-1", seq: 10 });
		expect(life.effects.ran).toEqual(["act-2"]);
		expect(life.said.at(-1)).toMatchObject({ command: "act-1", phase: "refused", reason: "overtaken" });
	});

	test("the intent is on disk before the effect begins", async () => {
		const life = await born();
		let onDisk = "";
		life.effects.onRun = () => {
			onDisk = life.disk.records.map((bytes) => Buffer.from(bytes).toString()).join("\n");
		};
		await receive(life);
		expect(onDisk).toContain('"kind":"intent","command":"act-1","seq":10');
	});

	/** One life that may die at an append, then one that does not; core asks until it has a final answer. */
	const dieAt = async (at: number, when: "before" | "after"): Promise<{ effects: Effects; answers: Receipt[]; beforeDeath: Receipt[] }> => {
		const disk = new Disk();
		const effects = new Effects();
		disk.dies = { at, when };
		const first = await Promise.race([live(disk, effects), new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 20))]);
		if (first !== undefined) {
			void first.commands.recover();
			await first.time.settle();
			await receive(first);
			await receive(first);
		}
		disk.dies = undefined;
		const second = await live(disk, effects);
		await second.commands.recover();
		await receive(second);
		await receive(second);
		return { effects, answers: second.said, beforeDeath: first?.said ?? [] };
	};

	test.each([1, 2, 3, 4].flatMap((at) => (["before", "after"] as const).map((when) => [at, when] as const)))(
		"HARM-8: the agent dies at journal write %i, just %s it is on disk: one effect at most, an answer in the end, and never two different ones",
		async (at, when) => {
			const { effects, answers, beforeDeath } = await dieAt(at, when);
			expect(effects.ran.length).toBeLessThanOrEqual(1);
			const finals = [...beforeDeath, ...answers].filter(({ phase }) => ["done", "failed", "unknown", "refused"].includes(phase));
			expect(finals.length).toBeGreaterThan(0);
			expect(new Set(finals.map(({ phase }) => phase)).size).toBe(1);
			expect(finals[0]?.phase === "unknown" ? effects.ran : effects.ran.slice(0, 1)).toEqual(finals[0]?.phase === "unknown" ? [] : ["act-1"]);
		},
	);

	test("HARM-8: what may have happened when the agent died is looked up in the world, never done again", async () => {
		const disk = new Disk();
		const effects = new Effects();
		effects.hold = new Promise(() => undefined);
		const first = await live(disk, effects);
		await first.commands.recover();
		await receive(first);
		expect(effects.ran).toEqual(["act-1"]);
		effects.hold = undefined;
		const second = await live(disk, effects);
		await second.commands.recover();
		expect(effects.probed).toEqual(["act-1"]);
		expect(second.said).toMatchObject([{ command: "act-1", phase: "done" }]);
		await receive(second);
		expect(second.said.at(-1)).toMatchObject({ phase: "done", repeat: true });
		expect(effects.ran).toEqual(["act-1"]);
	});

	test("a receipt that was on disk but not in the outbox is said after the restart, one that was is not", async () => {
		const disk = new Disk();
		const effects = new Effects();
		disk.dies = { at: 4, when: "before" };
		const first = await live(disk, effects);
		await first.commands.recover();
		await receive(first);
		expect(disk.appends).toBe(4);
		disk.dies = undefined;
		const second = await live(disk, effects);
		await second.commands.recover();
		expect(second.said).toMatchObject([{ phase: "done", repeat: true }]);
		const third = await live(disk, effects);
		await third.commands.recover();
		expect(third.said).toEqual([]);
	});

	test("a full disk: what cannot be remembered is not done, and later ones are", async () => {
		const life = await born();
		life.disk.full = true;
		await receive(life);
		expect(life.effects.ran).toEqual([]);
		expect(life.said).toMatchObject([{ phase: "refused", reason: "disk-full" }]);
		life.disk.full = false;
		await receive(life, { command: "act-2", seq: 11 });
		expect(life.effects.ran).toEqual(["act-2"]);
	});

	test("the disk fills during the effect: the receipt waits for room and is the one that is told", async () => {
		const life = await born();
		life.effects.onRun = () => {
			life.disk.full = true;
		};
		await receive(life);
		expect(life.said.map(({ phase }) => phase)).toEqual(["accepted"]);
		life.disk.full = false;
		await life.time.advance(1_000);
		expect(life.said.map(({ phase }) => phase)).toEqual(["accepted", "done"]);
	});

	test("the journal stays small, and a restart in the middle of that forgets nothing", async () => {
		const life = await born();
		for (let index = 0; index < 900; index++) await receive(life, { command: `act-${index}`, seq: 100 + index });
		const wholes = life.disk.records.filter((bytes) => Buffer.from(bytes).toString().startsWith('{"kind":"marks"'));
		expect(wholes.length).toBeGreaterThan(0);
		const again = await live(life.disk, life.effects);
		await again.commands.recover();
		expect(again.said).toEqual([]);
		expect(again.journal.marks).toEqual(life.journal.marks);
	});
});
