// Shows what `orion audit` says of an audit that is whole and of one that was touched, with and without a running mesh, on real files.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { repaired } from "../core/http-desk.ts";
import { leftFolder } from "./folder.ts";
import { apiOver, runHere } from "./host.ts";
import { expectGolden, shapeOf } from "./shape.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0)) await close();
});

const left = async () => {
	const world = repaired();
	const folder = await leftFolder(world.records.map(({ envelope }) => envelope));
	closers.push(folder.remove);
	return { world, data: folder.data, run: (...args: string[]) => runHere(["audit", ...args, "--data", folder.data]) };
};

const ENTRIES = "audit/entries-00000000000000000001";
const altered = (data: string, from: string, to: string): void => {
	const file = join(data, ENTRIES);
	writeFileSync(file, readFileSync(file, "latin1").replace(from, to), "latin1");
};

describe("TELL-33 orion audit verify", () => {
	test("a whole one: exit 0, every entry the same as in the log", async () => {
		const { run, world } = await left();
		const { code, out, err } = await run("verify", "--json");
		expect([code, err]).toEqual([0, ""]);
		const count = world.records.length;
		expect(JSON.parse(out)).toMatchObject({ ok: true, entries: count, compared: count, signedUpTo: count, logHead: count, findings: [] });
		expectGolden("audit-verify.shape.txt", shapeOf(JSON.parse(out)));
		expect((await run("verify")).out).toContain("the audit is whole");
	});

	test("one letter of one entry altered: exit 8, the entry is named", async () => {
		const { run, data } = await left();
		altered(data, "process.down", "process.dowm");
		const { code, out } = await run("verify", "--json");
		const answer = JSON.parse(out) as { findings: { position: number; kind: string }[] };
		expect([code, answer.findings[0]?.kind]).toEqual([8, "altered"]);
		expectGolden("audit-verify-bad.shape.txt", shapeOf(JSON.parse(out)));
		const said = await run("verify");
		expect([said.code, said.out]).toEqual([8, expect.stringContaining(`the first bad entry is ${answer.findings[0]?.position}`)]);
	});

	test("beside a running mesh it is held against the log that the mesh tells", async () => {
		const { world, data } = await left();
		const api = await apiOver(world);
		closers.push(api.close);
		for (const file of ["token", "run.json"]) writeFileSync(join(data, file), readFileSync(join(api.folder, file)));
		const records = world.records.length;
		const whole = await runHere(["audit", "verify", "--json", "--data", data]);
		expect([whole.code, JSON.parse(whole.out)]).toEqual([0, expect.objectContaining({ ok: true, compared: records })]);
		// That it was verified, by whom and with what result, is a record.
		expect(world.records.at(-1)?.envelope).toMatchObject({
			type: "dev.orion.audit.verified.v1",
			data: { by: "lars", good: true, entryCount: records, signedUpToPosition: records },
		});
		// The log of another mesh answers.
		world.alert("other", "error", "other");
		world.records.splice(2, 1, { ...world.records[2], position: 3, envelope: world.records.at(-1)?.envelope } as (typeof world.records)[number]);
		const other = await runHere(["audit", "verify", "--json", "--data", data]);
		expect([other.code, (JSON.parse(other.out) as { findings: unknown[] }).findings[0]]).toEqual([8, expect.objectContaining({ kind: "log", position: 3 })]);
	});

	test("a log that is damaged is a finding, and the audit is verified without it", async () => {
		const { run, data } = await left();
		const file = join(data, "log/00000000000000000001.seg");
		const bytes = readFileSync(file);
		bytes[200] = (bytes[200] ?? 0) ^ 1;
		writeFileSync(file, bytes);
		const { code, out } = await run("verify", "--json");
		expect([code, JSON.parse(out)]).toEqual([8, expect.objectContaining({ compared: 0, findings: [expect.objectContaining({ kind: "log", file: "log" })] })]);
	});

	test("a checkpoint that was kept: the same audit goes on from it, a rewritten one does not", async () => {
		const { run, data } = await left();
		const kept = join(data, "kept");
		writeFileSync(kept, (await run("checkpoint")).out);
		expect((await run("verify", "--checkpoint", kept)).code).toBe(0);
		// One who holds the disk makes all of it anew, with the key of the mesh.
		rmSync(join(data, "audit"), { recursive: true });
		const { data: other } = await left();
		mkdirSync(join(data, "audit"));
		for (const name of ["audit/checkpoints", "audit/verifier", ENTRIES, "core/audit-key.json"]) {
			const from = readFileSync(join(other, name));
			writeFileSync(join(data, name), from);
		}
		expect((await run("verify", "--checkpoint", kept)).code).toBe(8);
		expect(await run("verify", "--checkpoint", join(data, "none"))).toMatchObject({ code: 1, err: expect.stringContaining("no checkpoint in") });
	});

	test("the key may be named; one that is none is said, one of somebody else fails", async () => {
		const { run } = await left();
		const { verifier } = JSON.parse((await run("checkpoint", "--json")).out) as { verifier: string };
		expect((await run("verify", "--key", verifier)).code).toBe(0);
		expect((await run("verify", "--key", "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")).code).toBe(8);
		expect(await run("verify", "--key", "x")).toMatchObject({ code: 2, out: "" });
	});

	test("no audit, and one elsewhere: what to do", async () => {
		const { data } = await left();
		rmSync(join(data, "audit"), { recursive: true });
		rmSync(join(data, "core"), { recursive: true });
		expect(await runHere(["audit", "verify", "--data", data])).toMatchObject({ code: 1, out: "", err: expect.stringContaining("first `orion up`") });
		expect(await runHere(["audit", "verify", "--url", "http://127.0.0.1:1"])).toMatchObject({
			code: 2,
			err: expect.stringContaining("on the host of the mesh"),
		});
	});
});

describe("TELL-31 orion audit show and checkpoint", () => {
	test("an entry is the record; its hashes and its proof are beside it", async () => {
		const { run, world } = await left();
		const { code, out } = await run("show", "2", "--proof", "--json");
		expect(code).toBe(0);
		const shown = JSON.parse(out) as { record: unknown; proof: string };
		expect(shown.record).toEqual(world.records[1]?.envelope);
		expect(shown.proof).toMatch(/^c2sp\.org\/tlog-proof@v1\nindex 1\n([A-Za-z0-9+/]{43}=\n)+\norion-mesh\//);
		expect((await run("show", "2", "--proof")).out).toBe(shown.proof);
		expect(await run("show", "99999")).toMatchObject({ code: 1, out: "", err: expect.stringContaining("there is no entry 99999") });
		expect(await run("show", "0")).toMatchObject({ code: 2, out: "" });
	});

	test("entry and checkpoint keep their shape", async () => {
		const { run, world } = await left();
		const { record: _record, ...entry } = JSON.parse((await run("show", "1", "--json")).out) as Record<string, unknown>;
		expectGolden("audit-entry.shape.txt", shapeOf(entry as { schema: string }));
		const checkpoint = JSON.parse((await run("checkpoint", "--json")).out) as { schema: string; size: number };
		expect(checkpoint.size).toBe(world.records.length);
		expectGolden("audit-checkpoint.shape.txt", shapeOf(checkpoint));
	});
});
