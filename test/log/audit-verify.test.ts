// Shows that whoever alters, removes, moves or cuts anything in an audit is found out, and that another program in another language says the same.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeEntry, entryAt, parseHeader } from "../../log/audit/format.ts";
import { chainHash, leafHash } from "../../log/audit/tree.ts";
import { AUDIT, beside, enterAll, logOf, openFakeAudit, signerInto, verifyFake } from "../support/audit.ts";
import { FakeFiles } from "../support/files.ts";
import { removeFolder } from "../support/remove-folder.ts";

const RECORDS = 10;
const ENTRIES = `${AUDIT}/entries-00000000000000000001`;

const audited = async (records = RECORDS, more = {}) => {
	const [files, log] = [new FakeFiles(), await logOf(records)];
	const audit = await openFakeAudit(files, log, more);
	await enterAll(audit, log);
	await audit.close();
	return { files, log };
};

/** The header and the entries of a file, as bytes. */
const partsOf = (bytes: Uint8Array) => {
	const header = parseHeader(bytes);
	const entries: Uint8Array[] = [];
	for (let at = header?.bytes ?? 0; at < bytes.length; ) {
		const entry = entryAt(bytes, at);
		if (typeof entry === "string") throw new Error("not an audit");
		entries.push(bytes.slice(at, entry.end));
		at = entry.end;
	}
	return { head: bytes.slice(0, header?.bytes), entries };
};

/** One who knows the format: the hashes of all entries are made anew, so that the chain fits. */
const rechained = (head: Uint8Array, records: readonly Uint8Array[]): Uint8Array => {
	let chain: Uint8Array = new Uint8Array(32);
	return Buffer.concat([
		head,
		...records.map((record, index) => {
			chain = chainHash(chain, leafHash(record));
			return encodeEntry(index + 1, record, chain);
		}),
	]);
};

const recordOf = (entry: Uint8Array): Uint8Array => {
	const line = entryAt(entry, 0);
	return typeof line === "string" ? new Uint8Array(0) : line.bytes;
};

describe("TELL-33 one flipped bit", () => {
	test("in any byte of any file is found, and the entry that it hit is named", async () => {
		const { files } = await audited();
		const { head, entries } = partsOf(files.content(ENTRIES));
		const owner = (at: number): number => {
			let end = head.length;
			for (const [index, entry] of entries.entries()) {
				end += entry.length;
				if (at < end) return at < head.length ? 1 : index + 1;
			}
			return 0;
		};
		for (const path of files.paths())
			for (let at = 0; at < files.content(path).length; at += 1) {
				const altered = files.afterKill();
				altered.flip(path, at * 8 + (at % 8));
				const { findings } = await verifyFake(altered);
				expect(findings.length, `${path}, byte ${at}`).toBeGreaterThan(0);
				if (path === ENTRIES) expect(findings[0]?.position, `byte ${at}`).toBe(owner(at));
			}
	});

	test("in any bit of one entry is found without log and without checkpoints", async () => {
		const { files } = await audited(3);
		files.put(`${AUDIT}/checkpoints`, new Uint8Array(0));
		expect((await verifyFake(files)).findings).toEqual([]);
		const from = partsOf(files.content(ENTRIES)).head.length;
		for (let bit = from * 8; bit < files.content(ENTRIES).length * 8; bit += 1) {
			const altered = files.afterKill();
			altered.flip(ENTRIES, bit);
			expect((await verifyFake(altered)).findings.length, `bit ${bit}`).toBeGreaterThan(0);
		}
	});
});

describe("TELL-33 entries that are not where they were", () => {
	const changed = async (change: (entries: Uint8Array[]) => readonly Uint8Array[]) => {
		const { files } = await audited();
		const { head, entries } = partsOf(files.content(ENTRIES));
		files.put(ENTRIES, Buffer.concat([head, ...change(entries)]));
		return (await verifyFake(files)).findings[0];
	};

	test("each removed one is missing, each swapped pair is out of order, each repeated one too", async () => {
		for (let index = 0; index < RECORDS; index += 1) {
			const isLast = index === RECORDS - 1;
			expect(await changed((entries) => entries.filter((_, at) => at !== index))).toMatchObject({
				kind: isLast ? "truncated" : "missing",
				position: index + 1,
			});
			expect(await changed((entries) => entries.flatMap((entry, at) => (at === index ? [entry, entry] : [entry])))).toMatchObject({ kind: "reordered" });
			if (isLast) continue;
			const swapped = await changed((entries) => entries.toSpliced(index, 2, ...[entries[index + 1], entries[index]].filter((entry) => entry !== undefined)));
			expect(swapped).toMatchObject({ kind: "missing", position: index + 1 });
		}
	});

	test("cut after any byte: the entry at which it was cut is named", async () => {
		const { files, log } = await audited();
		const bytes = files.content(ENTRIES);
		const { head, entries } = partsOf(bytes);
		let begins = head.length;
		for (const [index, entry] of entries.entries()) {
			for (let length = begins; length < begins + entry.length; length += 1) {
				files.put(ENTRIES, bytes.slice(0, length));
				const { findings } = await verifyFake(files, { ...beside(log), enteredUpTo: RECORDS });
				expect(findings[0], `${length} bytes`).toMatchObject({ kind: "truncated", position: index + 1 });
			}
			begins += entry.length;
		}
	});

	test("a file that is gone, one that is there twice, no entries at all, no checkpoints", async () => {
		const { files } = await audited(25, { fileBytesMax: 600 });
		const names = files.paths().filter((path) => path.includes("entries-"));
		for (const [index, path] of names.entries()) {
			const altered = files.afterKill();
			altered.remove(path);
			const kind = index === names.length - 1 ? "truncated" : "missing";
			expect((await verifyFake(altered)).findings[0], path).toMatchObject({ kind, position: Number(path.slice(-20)) });
		}
		const none = files.afterKill();
		for (const path of names) none.remove(path);
		expect((await verifyFake(none)).findings[0]).toMatchObject({ kind: "missing" });
		const unsigned = files.afterKill();
		unsigned.remove(`${AUDIT}/checkpoints`);
		expect((await verifyFake(unsigned)).findings[0]).toMatchObject({ kind: "checkpoint" });
	});
});

describe("TELL-35 one who knows the format and makes the hashes anew", () => {
	const rewritten = async (how: (records: readonly Uint8Array[]) => readonly Uint8Array[]) => {
		const { files, log } = await audited();
		const kept = (await audited(4)).files.content(`${AUDIT}/checkpoints`);
		const { head, entries } = partsOf(files.content(ENTRIES));
		files.put(ENTRIES, rechained(head, how(entries.map(recordOf))));
		return { files, log, kept: Buffer.from(kept).toString().slice(0, -1) };
	};
	const OTHER = Buffer.from('{"record":3,"pad":"xyz"}');

	test("is found by the checkpoints; the log names the entry", async () => {
		for (let index = 0; index < RECORDS; index += 1) {
			const { files, log } = await rewritten((records) => records.with(index, OTHER));
			const from = Math.floor(index / 4) * 4 + 1;
			expect((await verifyFake(files)).findings[0], `entry ${index + 1}`).toMatchObject({ kind: "rewritten", position: from });
			expect((await verifyFake(files, beside(log))).findings.find(({ kind }) => kind === "log")).toMatchObject({ position: index + 1 });
		}
	});

	test("and who removes the checkpoints too, or signs with another key, is found; who has the key is found by a checkpoint that was kept elsewhere", async () => {
		const { files, kept } = await rewritten((records) => records.with(1, OTHER));
		const empty = files.afterKill();
		empty.put(`${AUDIT}/checkpoints`, new Uint8Array(0));
		expect((await verifyFake(empty, { enteredUpTo: RECORDS })).findings).toEqual([]);
		expect((await verifyFake(empty, { kept })).findings[0]).toMatchObject({ kind: "rewritten", position: 1 });
		const { files: whole } = await audited();
		expect((await verifyFake(whole, { kept })).findings).toEqual([]);
		// One who has the key signs everything anew.
		const log = await logOf(RECORDS, (index) => `${index}`);
		const forged = new FakeFiles();
		const audit = await openFakeAudit(forged, log);
		await enterAll(audit, log);
		await audit.close();
		expect((await verifyFake(forged, beside(log))).findings).toEqual([]);
		expect((await verifyFake(forged, { kept })).findings[0]).toMatchObject({ kind: "rewritten" });
	});

	test("a checkpoint of more entries than there are: the audit was cut, whatever the rest says", async () => {
		const { files } = await audited(4);
		const kept = Buffer.from((await audited(8)).files.content(`${AUDIT}/checkpoints`))
			.toString()
			.split("\n\n")
			.slice(-3)
			.join("\n\n")
			.trimEnd();
		expect((await verifyFake(files, { kept: `${kept}\n` })).findings[0]).toMatchObject({ kind: "truncated", position: 5 });
	});

	test("checkpoints in another order, of another audit, of another key, cut short", async () => {
		const { files } = await audited();
		const notes = Buffer.from(files.content(`${AUDIT}/checkpoints`)).toString();
		const blocks = notes.split("\n\n");
		const put = async (text: string) => {
			files.put(`${AUDIT}/checkpoints`, Buffer.from(text));
			return (await verifyFake(files)).findings[0]?.kind;
		};
		expect(await put([blocks[2], blocks[3], blocks[0], blocks[1], ""].join("\n\n"))).toBe("checkpoint");
		expect(await put(notes.replaceAll("mesh-1/1", "mesh-1/2"))).toBe("checkpoint");
		expect(await put(notes.slice(0, -1))).toBe("checkpoint");
		expect(await put(notes)).toBeUndefined();
		expect((await verifyFake(files, { publicKey: Buffer.alloc(32, 3) })).findings[0]?.kind).toBe("checkpoint");
		expect((await verifyFake(files, { kept: "no note" })).findings[0]?.kind).toBe("rewritten");
	});
});

describe("TELL-31 a verifier that shares no code with this one", () => {
	let folder = "";
	let files: FakeFiles;
	afterAll(() => removeFolder(folder));
	beforeAll(async () => {
		folder = mkdtempSync(join(tmpdir(), "orion-audit-"));
		files = (await audited(25, { fileBytesMax: 600, signer: signerInto() })).files;
	});
	const python = (name: string, from: FakeFiles): string => {
		const copy = join(folder, name);
		mkdirSync(copy, { recursive: true });
		for (const path of from.paths()) if (path.startsWith(`${AUDIT}/`)) writeFileSync(join(copy, path.slice(AUDIT.length + 1)), from.content(path));
		try {
			return execFileSync("python3", [join(import.meta.dirname, "verify_audit.py"), copy], { encoding: "utf8", stdio: "pipe" }).trim();
		} catch (error) {
			return String((error as { stdout?: unknown }).stdout).trim();
		}
	};

	test("reads the files and finds them whole, and finds what was altered", () => {
		expect(python("whole", files)).toBe("OK 25 entries, 7 checkpoints");
		const altered = files.afterKill();
		altered.flip(ENTRIES, 3_000);
		expect(python("altered", altered)).toMatch(/^BAD entry \d+/);
		const forged = files.afterKill();
		forged.flip(`${AUDIT}/checkpoints`, 900);
		expect(python("forged", forged)).toMatch(/^BAD checkpoint/);
		const cut = files.afterKill();
		cut.remove(cut.paths().findLast((path) => path.includes("entries-")) ?? "");
		expect(python("cut", cut)).toMatch(/^BAD checkpoint .* entries are missing/);
	});
});
