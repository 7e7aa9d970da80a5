// Shows that a folder has one owner, one mesh and one format, and that anything else is refused by name: LOSS-10.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { nodeFiles } from "../../log/node-files.ts";
import { encodeSegmentHeader } from "../../log/segment-format.ts";
import { openSegments } from "../../log/segments.ts";
import { checkedText } from "../../log/whole-file.ts";
import { FakeFiles, systemError } from "../support/files.ts";
import { bytesOf, codeOf, FOLDER, openFake, plain, said } from "../support/log.ts";
import { removeFolder } from "../support/remove-folder.ts";

const folders: string[] = [];
const realFolder = (): string => {
	const folder = mkdtempSync(join(tmpdir(), "orion-log-"));
	folders.push(folder);
	return folder;
};
afterEach(() => {
	for (const folder of folders.splice(0)) removeFolder(folder);
});

const openReal = (folder: string) =>
	openSegments({
		files: nodeFiles(),
		folder,
		mesh: "mesh-1",
		keyOf: () => undefined,
		onFatal: (error) => {
			throw error;
		},
	});

describe("LOSS-10 the format and the mesh", () => {
	test("a newer format is refused by VERSION, with or without a checksum, and by a segment", async () => {
		const newer = new FakeFiles();
		await (await openFake(newer)).close();
		const versions = [checkedText({ format: 2, mesh: "mesh-1" }), bytesOf('{"format":7,"mesh":"mesh-1"}')];
		for (const content of versions) {
			newer.put(`${FOLDER}/VERSION`, content);
			expect(await codeOf(openFake(newer))).toBe("FOLDER_NEWER");
			expect(await codeOf(openFake(newer, { acceptLoss: true }))).toBe("FOLDER_NEWER");
		}
		const segment = new FakeFiles();
		await (await openFake(segment)).close();
		segment.put(`${FOLDER}/00000000000000000001.seg`, encodeSegmentHeader("mesh-1", 1, 2));
		expect(await codeOf(openFake(segment))).toBe("FOLDER_NEWER");
	});

	test("another mesh is refused, and nothing was changed", async () => {
		const files = new FakeFiles();
		const log = await openFake(files);
		await log.append([plain("a")]);
		await log.close();
		expect(await codeOf(openFake(files, { mesh: "mesh-2" }))).toBe("FOLDER_FOREIGN");
		expect(await said(await openFake(files))).toEqual(["1 a"]);
	});

	test("the mesh of a folder is in each segment too", async () => {
		const files = new FakeFiles();
		await (await openFake(files)).close();
		const other = new FakeFiles();
		await (await openFake(other, { mesh: "mesh-2" })).close();
		files.put(`${FOLDER}/VERSION`, other.content(`${FOLDER}/VERSION`));
		for (const mesh of ["mesh-1", "mesh-2"]) expect(await codeOf(openFake(files, { mesh }))).toBe("FOLDER_FOREIGN");
	});

	test("something else in VERSION is damage, and can be accepted", async () => {
		for (const content of ["", "{}", "null", "[]", '{"format":1,"mesh":"mesh-1"}', "\0\0\0"]) {
			const files = new FakeFiles();
			await (await openFake(files)).close();
			files.put(`${FOLDER}/VERSION`, bytesOf(content));
			expect(await codeOf(openFake(files)), content).toBe("RECORD_DAMAGED");
			await (await openFake(files, { acceptLoss: true })).close();
			await (await openFake(files)).close();
		}
	});
});

describe("LOSS-10 the owner", () => {
	const lockOf = (files: FakeFiles): Record<string, unknown> => JSON.parse(Buffer.from(files.content(`${FOLDER}/lock`)).toString()) as Record<string, unknown>;

	test("a living one keeps everybody else out, the same process too, and gives the folder back", async () => {
		const files = new FakeFiles();
		const log = await openFake(files);
		expect(lockOf(files)).toEqual({ pid: 100, startTicks: "1", bootId: "boot-1" });
		expect(await codeOf(openFake(files))).toBe("FOLDER_OWNED");
		files.becomes({ pid: 200, startTicks: "9", bootId: "boot-1" });
		files.alive.add("100/1/boot-1");
		expect(await codeOf(openFake(files))).toBe("FOLDER_OWNED");
		files.becomes({ pid: 100, startTicks: "1", bootId: "boot-1" });
		await log.close();
		expect(files.paths()).not.toContain(`${FOLDER}/lock`);
		await (await openFake(files)).close();
	});

	test("a dead one, one whose pid was given to another, and one from before the boot are taken over", async () => {
		for (const next of [
			{ pid: 200, startTicks: "1", bootId: "boot-1" },
			{ pid: 100, startTicks: "777", bootId: "boot-1" },
			{ pid: 100, startTicks: "1", bootId: "boot-2" },
		]) {
			const files = new FakeFiles();
			await openFake(files);
			files.becomes(next);
			const log = await openFake(files);
			expect(lockOf(files)).toEqual(next);
			await log.close();
			expect(files.paths().filter((path) => path.includes("lock"))).toEqual([]);
		}
	});

	test("a lock that nobody can be read from does not keep a mesh from starting", async () => {
		for (const content of ["", "\0\0\0\0", "{", "12", "null", '{"pid":"100"}']) {
			const files = new FakeFiles();
			await files.mkdir(FOLDER);
			files.put(`${FOLDER}/lock`, bytesOf(content));
			const log = await openFake(files);
			await log.close();
		}
	});

	test("of many that take over the same stale lock, one gets it", async () => {
		const files = new FakeFiles();
		await openFake(files);
		files.becomes({ pid: 300, startTicks: "3", bootId: "boot-1" });
		const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => openFake(files)));
		expect(attempts.filter(({ status }) => status === "fulfilled").length).toBe(1);
		for (const attempt of attempts) if (attempt.status === "rejected") expect(await codeOf(Promise.reject(attempt.reason))).toBe("FOLDER_OWNED");
	});

	test("a start that is refused for another reason gives the folder back", async () => {
		const files = new FakeFiles();
		await (await openFake(files)).close();
		expect(await codeOf(openFake(files, { mesh: "mesh-2" }))).toBe("FOLDER_FOREIGN");
		await (await openFake(files)).close();
	});
});

describe("LOSS-10 on this host", () => {
	test("a living process, a dead one and a recycled pid", async () => {
		const folder = realFolder();
		const log = await openReal(folder);
		const mine = JSON.parse(readFileSync(join(folder, "lock"), "utf8")) as { pid: number; startTicks: string; bootId: string };
		expect(mine.pid).toBe(process.pid);
		expect(await codeOf(openReal(folder))).toBe("FOLDER_OWNED");
		await log.close();

		const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
		const { pid } = child;
		if (pid === undefined) throw new Error("no child");
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		const startTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
		const theirs = (ticks: string): void => writeFileSync(join(folder, "lock"), JSON.stringify({ ...mine, pid, startTicks: ticks }));
		theirs(startTicks);
		expect(await codeOf(openReal(folder))).toBe("FOLDER_OWNED");
		theirs(`${Number(startTicks) - 1}`);
		await (await openReal(folder)).close();
		theirs(startTicks);
		await new Promise((resolve) => {
			child.once("exit", resolve);
			child.kill("SIGKILL");
		});
		await (await openReal(folder)).close();
	});

	test("what stands where the folder should be is said by name", async () => {
		const folder = realFolder();
		writeFileSync(join(folder, "file"), "");
		expect(await codeOf(openReal(join(folder, "file")))).toBe("FOLDER_NOT_WRITABLE");
		expect(await codeOf(openReal(join(folder, "file/log")))).toBe("FOLDER_NOT_WRITABLE");
	});
});

test("an archive that was removed with its folder is made again", async () => {
	const folder = realFolder();
	const log = await openReal(folder);
	for (let index = 0; index < 40; index += 1) await log.append([plain("x".repeat(1_000_000))]);
	expect(await log.archive(20)).toBeGreaterThan(0);
	rmSync(join(folder, "archive"), { recursive: true });
	expect(await log.archive(39)).toBeGreaterThan(0);
	await log.close();
	const again = await openReal(folder);
	expect([again.head(), again.first() > 20]).toEqual([40, true]);
	await again.close();
});

test("LOSS-10 a folder that cannot be written is said by name", async () => {
	for (const code of ["EACCES", "EROFS", "EPERM"]) {
		for (const failing of ["mkdir", "open", "link"]) {
			const files = new FakeFiles();
			files.before = ({ kind, path }) => {
				if (kind === failing) throw systemError(code, path);
			};
			expect(await codeOf(openFake(files)), `${code} ${failing}`).toBe("FOLDER_NOT_WRITABLE");
		}
	}
});
