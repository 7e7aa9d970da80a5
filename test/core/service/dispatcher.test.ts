// Shows how a command leaves core: recorded before it is handed over, the same bytes each time, to nobody said, and nothing twice after any end of core.
import { describe, expect, test } from "vitest";
import type { Envelope } from "../../../contracts/envelope.ts";
import { fault } from "../../../contracts/errors.ts";
import type { ActionCommand } from "../../../contracts/gen/types.ts";
import type { Entered } from "../../../core/service/audit.ts";
import { CoreProcess, messageOf, payloadOf, recordsOf } from "../../support/core.ts";
import { VirtualDisk } from "../../support/disk.ts";
import { SESSION } from "../../support/engine.ts";
import { settle, VirtualHost } from "../../support/world.ts";

interface Handed {
	readonly topic: string;
	readonly jws: string;
	/** Whether its text was durable when it was handed over. */
	readonly recorded: boolean;
}

class Mesh {
	readonly host = new VirtualHost();
	readonly disk = new VirtualDisk();
	readonly handed: Handed[] = [];
	answer: "delivered" | "nobody" = "delivered";
	/** What the audit answers; by default every record has its entry at once. */
	entered: (position: number) => Promise<Entered> = () => Promise.resolve("entered");
	/** Handing over takes until this is over. */
	held: Promise<void> = Promise.resolve();
	#starts = 0;

	async start(pulse = true): Promise<CoreProcess> {
		this.#starts += 1;
		const core = new CoreProcess({
			host: this.host,
			disk: this.disk,
			term: this.#starts,
			level: "N2",
			audit: { entered: (position) => this.entered(position) },
			delivery: {
				deliver: async (_node, topic, bytes) => {
					const jws = Buffer.from(bytes).toString();
					const dispatched = await this.all("action.dispatched");
					this.handed.push({ topic, jws, recorded: dispatched.some(({ envelope }) => (envelope.data as { jws: string }).jws === jws) });
					await this.held;
					return this.answer;
				},
			},
		});
		await core.start();
		if (pulse) core.live.pulse("pi-1", { session: SESSION, tick: 1_234, safety: "working" });
		await core.connect();
		await settle();
		return core;
	}

	async all(name: string) {
		return (await recordsOf(this.disk)).filter(({ envelope }) => envelope.type === `dev.orion.${name}.v1`);
	}
}

const ready = (): readonly Envelope[] => [
	messageOf("pi-1", "node.state", { state: "ready", session: SESSION, conn: 1 }),
	messageOf("pi-1", "node.about", {
		role: "node",
		version: "1",
		capabilities: ["process"],
		actions: ["process.restart"],
		services: ["web", "db"],
		contracts: 1,
		keyId: "k",
	}),
];
const down = (seq: number) => messageOf("pi-1", "process.down", { service: "web", cause: "exited", exitCode: 1, downs: 1 }, seq);

const broken = async (mesh: Mesh, pulse = true): Promise<CoreProcess> => {
	const core = await mesh.start(pulse);
	for (const message of [...ready(), down(1)]) await core.accept(message);
	await settle();
	return core;
};

describe("a command", () => {
	test("is on disk before it is handed over, and says everything that the gate wants to know", async () => {
		const mesh = new Mesh();
		await broken(mesh);
		const [requested] = await mesh.all("action.requested");
		expect(mesh.handed).toMatchObject([{ topic: "orion/v1/pi-1/cmd/process.restart", recorded: true }]);
		const command = payloadOf(mesh.handed[0]?.jws ?? "") as ActionCommand;
		expect(command).toMatchObject({ seq: requested?.position, session: SESSION, tick: 1_234, node: "pi-1", action: "process.restart", notAfterMs: 10_000 });
		expect(command.args).toEqual({ service: "web" });
	});

	test("for a node whose pulse was not heard is not handed over: nobody could tell its age", async () => {
		const mesh = new Mesh();
		await broken(mesh, false);
		expect(mesh.handed).toEqual([]);
		const [said] = await mesh.all("action.undelivered");
		expect(said?.envelope.data).toMatchObject({ why: expect.stringContaining("no pulse") });
	});

	test("that nobody received is said to be undelivered, and nothing queues (HARM-8)", async () => {
		const mesh = new Mesh();
		mesh.answer = "nobody";
		const core = await broken(mesh);
		expect(await mesh.all("action.undelivered")).toHaveLength(1);
		expect(core.shell.state.actions).toEqual({});
		await core.accept(messageOf("pi-1", "node.state", { state: "lost", session: SESSION, conn: 1 }, undefined));
		await mesh.host.time.advance(60_000);
		expect(mesh.handed).toHaveLength(1);
	});

	test("that was asked about is handed over again, byte for byte", async () => {
		const mesh = new Mesh();
		await broken(mesh);
		await mesh.host.time.advance(31_000);
		expect(await mesh.all("action.asked")).toHaveLength(2);
		expect(mesh.handed).toHaveLength(3);
		expect(new Set(mesh.handed.map(({ jws }) => jws)).size).toBe(1);
	});

	test.each([
		[9_000, 2],
		[12_000, 1],
	] as const)("that waited %i ms behind another one, of at most 10 s: %i are handed over, however fresh the node's pulse", async (waitMs, handed) => {
		const mesh = new Mesh();
		let release = (): void => undefined;
		mesh.held = new Promise((resolve) => {
			release = resolve;
		});
		const core = await broken(mesh);
		await core.accept(messageOf("pi-1", "process.down", { service: "db", cause: "exited", exitCode: 1, downs: 1 }, 2));
		await mesh.host.time.advance(waitMs);
		await core.accept(messageOf("pi-1", "alert.firing", { name: "a", severity: "info", summary: "time has passed" }, 3));
		core.live.pulse("pi-1", { session: SESSION, tick: 50_000, safety: "working" });
		release();
		await settle();
		expect(mesh.handed).toHaveLength(handed);
		const said = await mesh.all("action.undelivered");
		expect(said.map(({ envelope }) => (envelope.data as { why: string }).why.includes("not to be done after"))).toEqual(handed === 1 ? [true] : []);
	});
});

describe("after an end of core", () => {
	test.each(["before the command is recorded", "after the command is recorded"] as const)("%s: it never exists in two forms", async (when) => {
		const mesh = new Mesh();
		const core = await mesh.start();
		for (const message of ready()) await core.accept(message);
		await settle();
		const append = core.log.append.bind(core.log);
		core.log.append = (entries) => {
			const text = Buffer.from(entries.at(-1)?.bytes ?? []).toString();
			if (text.includes("dev.orion.action.dispatched")) core.log.endAt = { batches: 1, kept: when.startsWith("after"), ended: () => core.kill() };
			return append(entries);
		};
		await core.accept(down(1));
		await settle();
		expect(mesh.handed).toEqual([]);
		await mesh.start();
		const dispatched = await mesh.all("action.dispatched");
		const texts = new Map<string, Set<string>>();
		for (const { jws } of mesh.handed) {
			const { command } = payloadOf(jws) as ActionCommand;
			texts.set(command, (texts.get(command) ?? new Set()).add(jws));
		}
		expect(mesh.handed).toHaveLength(1);
		expect(dispatched).toHaveLength(1);
		for (const forms of texts.values()) expect(forms.size).toBe(1);
		expect(mesh.handed.every(({ recorded }) => recorded)).toBe(true);
	});

	test.each(["killed", "stopped"] as const)("core was %s: what was closed is not handed over again", async (how) => {
		const mesh = new Mesh();
		const core = await broken(mesh);
		const [action] = Object.keys(core.shell.state.actions);
		await core.accept(messageOf("pi-1", "action.receipt", { command: action, action: "process.restart", phase: "refused", reason: "alone" }));
		await settle();
		if (how === "stopped") await core.dispatcher.stop();
		core.kill();
		const [requested] = await mesh.all("action.requested");
		// After a clean end its cursor has moved past it; after a kill it reads that again, and does nothing.
		if (how === "stopped") expect(mesh.disk.log.cursor("dispatcher")).toBeGreaterThan(requested?.position ?? 0);
		mesh.handed.splice(0);
		await mesh.start();
		expect(mesh.handed).toEqual([]);
	});

	test("the cursor stays before an action that is open, so that its command is found again", async () => {
		const mesh = new Mesh();
		const core = await broken(mesh);
		for (let n = 2; n < 20; n++) await core.accept(messageOf("pi-1", "alert.firing", { name: `a${n}`, severity: "info", summary: "s" }, n));
		await settle();
		const [requested] = await mesh.all("action.requested");
		await core.dispatcher.stop();
		expect(mesh.disk.log.cursor("dispatcher")).toBe((requested?.position ?? 0) - 1);
		core.kill();
		await mesh.start();
		expect(new Set(mesh.handed.map(({ jws }) => jws)).size).toBe(1);
		expect(mesh.handed).toHaveLength(2);
	});
});

describe("a full disk (LOSS-7)", () => {
	test("is waited for: no command leaves unrecorded, the process does not end, and it goes on by itself", async () => {
		const mesh = new Mesh();
		const core = await mesh.start();
		for (const message of ready()) await core.accept(message);
		await settle();
		const append = core.log.append.bind(core.log);
		core.log.append = (entries) => {
			if (
				Buffer.from(entries.at(-1)?.bytes ?? [])
					.toString()
					.includes("dev.orion.action.dispatched")
			)
				mesh.disk.full = core.log.append !== append && mesh.host.time.nowMs < 3_000;
			return append(entries);
		};
		await core.accept(down(1));
		await mesh.host.time.advance(2_900);
		expect(mesh.handed).toEqual([]);
		expect(core.world.fatalities).toEqual([]);
		mesh.disk.full = false;
		await mesh.host.time.advance(2_000);
		expect(mesh.handed).toMatchObject([{ recorded: true }]);
	});

	test("does not keep the dispatcher from ending", async () => {
		const mesh = new Mesh();
		const core = await broken(mesh);
		await core.accept(messageOf("pi-1", "alert.firing", { name: "a", severity: "info", summary: "s" }, 2));
		mesh.disk.full = true;
		const stopped = core.dispatcher.stop();
		await mesh.host.time.advance(3_000);
		await stopped;
		expect(core.world.fatalities).toEqual([]);
	});
});

describe("TELL-34 the audit", () => {
	test("has the entry of the action and of the signed command before the command is handed over", async () => {
		const mesh = new Mesh();
		const waiting: { position: number; enter: () => void }[] = [];
		mesh.entered = (position) =>
			new Promise((resolve) => {
				waiting.push({ position, enter: () => resolve("entered") });
			});
		await broken(mesh);
		const [requested] = await mesh.all("action.requested");
		expect(waiting.map(({ position }) => position)).toEqual([requested?.position]);
		expect([(await mesh.all("action.dispatched")).length, mesh.handed.length]).toEqual([0, 0]);
		waiting[0]?.enter();
		await settle();
		const [dispatched] = await mesh.all("action.dispatched");
		expect(waiting.map(({ position }) => position)).toEqual([requested?.position, dispatched?.position]);
		expect(mesh.handed).toEqual([]);
		waiting[1]?.enter();
		await settle();
		expect(mesh.handed).toHaveLength(1);
	});

	test("that came too late is held against the command", async () => {
		const mesh = new Mesh();
		let enter = (): void => undefined;
		mesh.entered = () =>
			new Promise((resolve) => {
				enter = () => resolve("entered");
			});
		await broken(mesh);
		await mesh.host.time.advance(60_000);
		enter();
		await settle();
		expect(mesh.handed).toEqual([]);
		const [undelivered] = await mesh.all("action.undelivered");
		expect((undelivered?.envelope.data as { why: string } | undefined)?.why).toContain("it waited");
	});

	test("that is damaged lets nothing be handed over, and the record says why", async () => {
		const mesh = new Mesh();
		mesh.entered = () => Promise.resolve(fault("AUDIT_DAMAGED", { file: "entries", position: 7, detail: "x" }));
		await broken(mesh);
		expect(mesh.handed).toEqual([]);
		const [undelivered] = await mesh.all("action.undelivered");
		expect((undelivered?.envelope.data as { why: string } | undefined)?.why).toContain("the audit is damaged at entry 7");
	});

	test("that ends with core: nothing is handed over, and the next start does it", async () => {
		const mesh = new Mesh();
		mesh.entered = () => Promise.resolve("ending");
		const core = await broken(mesh);
		expect(mesh.handed).toEqual([]);
		core.kill();
		mesh.entered = () => Promise.resolve("entered");
		await mesh.start();
		expect(mesh.handed).toHaveLength(1);
	});
});
