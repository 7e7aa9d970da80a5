// Shows that every record is entered and signed in time, that whoever acts waits for the entry, and what happens when the disk is full or the audit is damaged.
import { describe, expect, test } from "vitest";
import { fail } from "../../../contracts/errors.ts";
import { Audit, type Entered, enteredUpTo } from "../../../core/service/audit.ts";
import { openMemory } from "../../../log/memory.ts";
import { beside, openFakeAudit, verifyFake } from "../../support/audit.ts";
import { FakeFiles, systemError } from "../../support/files.ts";
import { plain } from "../../support/log.ts";
import { settle, VirtualHost } from "../../support/world.ts";

const MINUTE_MS = 60_000;

const begun = async (files = new FakeFiles(), log = openMemory(), host = new VirtualHost()) => {
	const store = await openFakeAudit(files, log, { enteredUpTo: enteredUpTo(log) });
	const world = host.process();
	const notices: (string | undefined)[] = [];
	const audit = new Audit({ log, world, store: { ok: true, value: store }, notice: (text) => notices.push(text) });
	audit.start();
	const add = async (count: number) => {
		for (let left = count; left > 0; left -= 500) await log.append(Array.from({ length: Math.min(left, 500) }, (_, index) => plain(`{"n":${index}}`)));
		await host.time.advance(5);
	};
	return { files, log, host, world, store, audit, notices, add };
};

const used = (files: FakeFiles): number => files.paths().reduce((sum, path) => sum + files.content(path).length, 0);

describe("TELL-30 entries", () => {
	test("follow the log, also what was recorded before the start", async () => {
		const log = openMemory();
		await log.append([plain("1"), plain("2")]);
		const { store, add, host } = await begun(new FakeFiles(), log);
		await host.time.advance(5);
		expect(store.last).toBe(2);
		await add(3);
		expect(store.last).toBe(5);
	});

	test("are on disk when whoever waited for one is told, and only then", async () => {
		const { files, store, audit, log, add } = await begun();
		await add(3);
		expect(store.syncedUpTo).toBe(0);
		let syncedWhenTold = 0;
		const told = audit.entered(3).then((entered) => {
			syncedWhenTold = files.counts.fdatasync ?? 0;
			return entered;
		});
		expect(await told).toBe("entered");
		expect([store.syncedUpTo, syncedWhenTold]).toEqual([3, 1]);
		// One that is not in the log yet is waited for.
		const next = audit.entered(4);
		await log.append([plain("4")]);
		expect(await next).toBe("entered");
	});
});

describe("TELL-31 checkpoints", () => {
	test("are signed every 1,000 entries, and every minute in which something was entered", async () => {
		const { store, add, host, files, audit, log } = await begun();
		await add(999);
		expect(store.signedUpTo).toBe(0);
		await add(1);
		expect(store.signedUpTo).toBe(1_000);
		await add(2_500);
		expect(store.signedUpTo).toBe(3_000);
		await host.time.advance(MINUTE_MS);
		expect(store.signedUpTo).toBe(3_500);
		await host.time.advance(MINUTE_MS * 3);
		await audit.stop();
		expect(await verifyFake(files, { ...beside(log), enteredUpTo: enteredUpTo(log) })).toMatchObject({ entries: 3_500, checkpoints: 4, findings: [] });
	});

	test("are signed over everything at once when somebody asks; a full disk is said", async () => {
		const { store, add, audit, files } = await begun();
		await add(7);
		expect(await audit.sign()).toEqual({ ok: true, value: { signedUpTo: 7 } });
		expect(await audit.sign()).toEqual({ ok: true, value: { signedUpTo: 7 } });
		await add(1);
		await audit.entered(8);
		files.capacityBytes = used(files);
		expect(await audit.sign()).toMatchObject({ ok: false, fault: { code: "DISK_FULL" } });
		expect(store.signedUpTo).toBe(7);
	});

	test("at the end everything is entered and signed, and the log knows it", async () => {
		const { store, log, audit } = await begun();
		await log.append([plain("1"), plain("2")]);
		await audit.stop();
		expect([store.last, store.signedUpTo, enteredUpTo(log)]).toEqual([2, 2, 2]);
		expect(await audit.entered(3)).toBe("ending");
	});
});

describe("TELL-34 a full disk", () => {
	test("is said, keeps whoever would act waiting, and is over by itself", async () => {
		const { files, host, audit, notices, add, store } = await begun();
		files.capacityBytes = used(files);
		await add(2);
		expect(notices.at(-1)).toContain("the disk is full");
		let told: Entered | undefined;
		void audit.entered(2).then((entered) => {
			told = entered;
		});
		await host.time.advance(30_000);
		expect([told, store.last]).toEqual([undefined, 0]);
		files.capacityBytes = Number.POSITIVE_INFINITY;
		await host.time.advance(1_000);
		expect([told, store.last]).toEqual(["entered", 2]);
		expect(notices.at(-1)).toBeUndefined();
	});

	test("at the end: nobody waits any longer, and the next start enters what is left", async () => {
		const { files, audit, add, log } = await begun();
		files.capacityBytes = used(files);
		const waiting = audit.entered(2);
		await add(2);
		audit.end();
		expect(await waiting).toBe("ending");
		await audit.stop();
		files.capacityBytes = Number.POSITIVE_INFINITY;
		const again = await begun(files, log);
		await again.host.time.advance(5);
		expect(again.store.last).toBe(2);
	});
});

test("LOSS-6 an fsync that fails ends the process", async () => {
	const { files, world, audit, add } = await begun();
	await add(1);
	files.before = ({ kind }) => {
		if (kind === "fdatasync") throw systemError("EIO");
	};
	void audit.entered(1);
	await settle();
	await settle();
	expect(world.fatalities).toHaveLength(1);
});

test("TELL-33 a damaged audit is said, and nobody is told that something was entered", async () => {
	const notices: (string | undefined)[] = [];
	const store = fail("AUDIT_DAMAGED", { file: "entries", position: 7, detail: "x" });
	const audit = new Audit({ log: openMemory(), world: new VirtualHost().process(), store, notice: (text) => notices.push(text) });
	audit.start();
	expect(notices[0]).toContain("damaged at entry 7");
	expect(await audit.entered(1)).toMatchObject({ code: "AUDIT_DAMAGED" });
	await audit.stop();
});
