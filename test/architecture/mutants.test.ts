// Shows that every seeded defect can still be planted: its place is there exactly once, and so is the test that is to catch it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../support/mesh.ts";

interface Mutant {
	readonly id: string;
	readonly invariant: string;
	readonly file: string;
	readonly find: string;
	readonly replace: string;
	readonly test: string;
}

const FOLDER = join(ROOT, "test/mutants");
const ALL = readdirSync(FOLDER)
	.filter((file) => file.endsWith(".json"))
	.flatMap((file) => JSON.parse(readFileSync(join(FOLDER, file), "utf8")) as readonly Mutant[]);
const textOf = new Map([...new Set(ALL.map(({ file }) => file))].map((file) => [file, readFileSync(join(ROOT, file), "utf8")]));

test("what is replaced is there exactly once, and is replaced by something else", () => {
	const wrong = ALL.filter(({ file, find, replace }) => textOf.get(file)?.split(find).length !== 2 || find === replace);
	expect(wrong.map(({ id }) => id)).toEqual([]);
});

test("its test is there, and its id is its own", () => {
	expect(ALL.filter((mutant) => !mutant.test.split(" ").every((file) => existsSync(join(ROOT, file)))).map(({ id }) => id)).toEqual([]);
	expect(ALL.map(({ id }) => id).filter((id, index, ids) => ids.indexOf(id) !== index)).toEqual([]);
});

test("the promise that it breaks is one of ours", () => {
	const promises = readFileSync(join(ROOT, "docs/requirements.md"), "utf8");
	expect(ALL.filter(({ invariant }) => !new RegExp(`\\| ${invariant} `).test(promises)).map(({ id, invariant }) => `${id}: ${invariant}`)).toEqual([]);
});
