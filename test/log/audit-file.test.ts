// Shows that an audit on disk goes on where it was after any end of its process, signs nothing twice differently, and refuses to go on from damage.
import { describe, expect, test } from "vitest";
import { AuditFile } from "../../log/audit/store.ts";
import { leafHash, Tree } from "../../log/audit/tree.ts";
import { openMemory } from "../../log/memory.ts";
import type { Log } from "../../log/port.ts";
import { AUDIT, beside, enterAll, logOf, openFakeAudit, signerInto, verifyFake } from "../support/audit.ts";
import { FakeFiles, systemError } from "../support/files.ts";
import { codeOf, plain } from "../support/log.ts";

const SMALL = { fileBytesMax: 600 };

/** Roots of the log's records, by number of entries. */
const rootsOf = async (log: Log): Promise<ReadonlyMap<number, string>> => {
	const tree = new Tree();
	const roots = new Map<number, string>();
	for (const { bytes } of await log.read(1, 10_000)) {
		tree.append(leafHash(bytes));
		roots.set(tree.size, Buffer.from(tree.root()).toString("base64"));
	}
	return roots;
};

describe("TELL-30 every record has an entry", () => {
	test("in order, in files that begin with what came before, whole when verified", async () => {
		const [files, log] = [new FakeFiles(), await logOf(25)];
		const audit = await openFakeAudit(files, log, SMALL);
		await enterAll(audit, log);
		await audit.close();
		expect(files.paths().filter((path) => path.includes("entries-")).length).toBeGreaterThan(3);
		expect(await verifyFake(files, beside(log))).toMatchObject({ first: 1, entries: 25, signedUpTo: 25, compared: 25, findings: [] });
	});

	test("a position whose record was lost before the audit came to it has an entry of no bytes", async () => {
		const [files, log] = [new FakeFiles(), await logOf(4)];
		const audit = await openFakeAudit(files, log);
		await audit.append((await log.read(1, 10)).filter(({ position }) => position !== 2 && position !== 3));
		await audit.checkpoint();
		await audit.close();
		expect(await verifyFake(files)).toMatchObject({ entries: 4, findings: [] });
	});

	test("an audit of a log whose beginning is archived begins with its oldest record, under a name of its own", async () => {
		const log = openMemory({ segmentRecords: 3 });
		for (let index = 1; index <= 8; index += 1) await log.append([plain(`record ${index}`)]);
		await log.archive(6);
		const files = new FakeFiles();
		const audit = await openFakeAudit(files, log);
		await enterAll(audit, log);
		await audit.close();
		expect(await verifyFake(files, beside(log))).toMatchObject({ origin: "orion-mesh/mesh-1/7", first: 7, entries: 2, findings: [] });
		expect((await openFakeAudit(files, log)).last).toBe(8);
	});
});

describe("TELL-32 an end at any moment", () => {
	/** One life: enters all and signs; the end comes before the operation of this number. */
	const live = async (files: FakeFiles, log: Log, endsBefore: number, signed: string[]): Promise<boolean> => {
		let count = 0;
		files.before = () => {
			count += 1;
			if (count > endsBefore) throw systemError("KILLED");
		};
		try {
			const audit = await openFakeAudit(files, log, { ...SMALL, signer: signerInto(signed) });
			await enterAll(audit, log);
			await audit.close();
			return true;
		} catch (error) {
			if (!(error instanceof Error && "code" in error && error.code === "KILLED")) throw error;
			return false;
		} finally {
			files.before = undefined;
		}
	};

	test.each(["killed", "power cut", "power cut with torn writes"])("%s: nothing is lost and nothing is forked", async (how) => {
		const log = await logOf(14);
		const roots = await rootsOf(log);
		for (let endsBefore = 0; ; endsBefore += 1) {
			const signed: string[] = [];
			const first = new FakeFiles();
			const isDone = await live(first, log, endsBefore, signed);
			const second =
				how === "killed"
					? first.afterKill()
					: first.afterPowerCut(how === "power cut" ? {} : { tornBytes: (_path, pending) => Math.floor(pending / 2), names: "live" });
			const audit = await openFakeAudit(second, log, { ...SMALL, signer: signerInto(signed) });
			await enterAll(audit, log, 3);
			await audit.close();
			const verified = await verifyFake(second, beside(log));
			expect(verified, `ended before operation ${endsBefore}`).toMatchObject({ entries: 14, compared: 14, findings: [] });
			for (const text of signed) {
				const [, size, root] = text.split("\n");
				expect(root, `signed at ${size} entries, ended before operation ${endsBefore}`).toBe(roots.get(Number(size)));
			}
			if (isDone) return;
		}
	});

	test("what a crash cut short is cut off, at every byte of the last entry, and comes again from the log", async () => {
		const log = await logOf(6);
		const whole = new FakeFiles();
		const audit = await openFakeAudit(whole, log);
		await audit.append(await log.read(1, 4));
		await audit.checkpoint();
		const path = `${AUDIT}/entries-00000000000000000001`;
		const signedBytes = whole.content(path).length;
		await audit.append(await log.read(5, 2));
		await audit.close();
		const bytes = whole.content(path);
		for (let length = signedBytes; length < bytes.length; length += 1) {
			const files = whole.afterKill();
			files.put(path, bytes.slice(0, length));
			expect((await verifyFake(files, beside(log))).findings, `${length} bytes`).toEqual([]);
			const again = await openFakeAudit(files, log);
			await enterAll(again, log);
			await again.close();
			expect(files.content(path)).toEqual(bytes);
		}
	});
});

describe("TELL-33 damage is not gone on from", () => {
	const damagedBy = async (change: (files: FakeFiles, path: string) => void, log: Log, entered = 0): Promise<string> => {
		const files = new FakeFiles();
		const audit = await openFakeAudit(files, log);
		await enterAll(audit, log);
		await audit.append(await log.read(audit.last + 1, 10));
		await audit.close();
		change(files, `${AUDIT}/entries-00000000000000000001`);
		return codeOf(openFakeAudit(files, log, { enteredUpTo: entered }));
	};

	test("a flipped bit in any byte that a checkpoint vouches for", async () => {
		const log = await logOf(5);
		const files = new FakeFiles();
		const audit = await openFakeAudit(files, log);
		await enterAll(audit, log);
		await audit.close();
		const path = `${AUDIT}/entries-00000000000000000001`;
		for (let at = 0; at < files.content(path).length; at += 1) {
			const copy = files.afterKill();
			copy.flip(path, at * 8 + (at % 8));
			expect(await codeOf(openFakeAudit(copy, log)), `byte ${at}`).toBe("AUDIT_DAMAGED");
		}
	});

	test("checkpoints that are gone, entries that are gone, entries that were on disk and are not, a log that is another", async () => {
		const log = await logOf(6);
		expect(await damagedBy((files) => files.remove(`${AUDIT}/checkpoints`), log)).toBe("AUDIT_DAMAGED");
		expect(await damagedBy((files, path) => files.remove(path), log)).toBe("AUDIT_DAMAGED");
		expect(await damagedBy((files, path) => files.put(path, files.content(path).slice(0, -5)), log)).toBe("AUDIT_DAMAGED");
		expect(await damagedBy(() => undefined, log, 7)).toBe("AUDIT_DAMAGED");
		expect(await damagedBy(() => undefined, log, 6)).toBe("nothing was refused");
	});

	test("a log that was cut back, or says something else where no checkpoint vouches", async () => {
		const files = new FakeFiles();
		const log = await logOf(6);
		const audit = await openFakeAudit(files, log);
		await audit.append(await log.read(1, 6));
		await audit.close();
		expect(await codeOf(openFakeAudit(files.afterKill(), await logOf(5)))).toBe("AUDIT_DAMAGED");
		expect(await codeOf(openFakeAudit(files.afterKill(), await logOf(6, (index) => `${index}`)))).toBe("AUDIT_DAMAGED");
		expect(await codeOf(openFakeAudit(files.afterKill(), log))).toBe("nothing was refused");
	});

	test("the folder of another mesh", async () => {
		const files = new FakeFiles();
		const log = await logOf(2);
		await (await openFakeAudit(files, log)).close();
		expect(await codeOf(openFakeAudit(files.afterKill(), log, { mesh: "mesh-2" }))).toBe("AUDIT_DAMAGED");
	});
});

describe("TELL-34 a full disk", () => {
	test("refuses whole at every number of bytes that are left, and goes on when there is room", async () => {
		const log = await logOf(8);
		const used = (files: FakeFiles): number => files.paths().reduce((sum, path) => sum + files.content(path).length, 0);
		for (let leftBytes = 0; ; leftBytes += 7) {
			const files = new FakeFiles();
			const audit = await openFakeAudit(files, log, { fileBytesMax: 300 });
			await audit.append(await log.read(1, 4));
			files.capacityBytes = used(files) + leftBytes;
			const code = await codeOf(enterAll(audit, log));
			expect(["DISK_FULL", "nothing was refused"]).toContain(code);
			// Nothing is left of a write that was cut short.
			expect((await verifyFake(files)).findings).toEqual([]);
			files.capacityBytes = Number.POSITIVE_INFINITY;
			await enterAll(audit, log);
			await audit.close();
			expect(await verifyFake(files, beside(log))).toMatchObject({ entries: 8, findings: [] });
			if (code === "nothing was refused") return;
		}
	});

	test("at the beginning: nothing is begun, and the next start begins it", async () => {
		const files = new FakeFiles();
		const log = await logOf(2);
		files.capacityBytes = 20;
		expect(await codeOf(openFakeAudit(files, log))).toBe("DISK_FULL");
		files.capacityBytes = Number.POSITIVE_INFINITY;
		expect(await openFakeAudit(files, log)).toBeInstanceOf(AuditFile);
	});
});
