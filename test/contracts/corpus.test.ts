// Shows that what the first version said is understood for ever: the messages and files of contracts/corpus never change and always pass (TELL-3).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { digest } from "../../contracts/digest.ts";
import { checkContract, checkEnvelope } from "../../contracts/envelope.ts";
import type { Contracts } from "../../contracts/gen/types.ts";
import { ENVELOPED, VALIDATORS } from "../../contracts/gen/validate.ts";

const CORPUS = join(import.meta.dirname, "../../contracts/corpus");
const FOLDER = join(CORPUS, "v1");
/** A new contract adds its line here with its message; a line that stands here is never changed. */
const DIGESTS = JSON.parse(readFileSync(join(CORPUS, "v1.digests.json"), "utf8")) as Readonly<Record<string, string>>;
const NAMES = (Object.keys(VALIDATORS) as (keyof Contracts)[]).filter((name) => name !== "envelope");
const read = (name: string): unknown => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), "utf8"));

test("every contract has its old message, and none was taken away", () => {
	const files = readdirSync(FOLDER).map((file) => file.replace(/\.json$/, ""));
	expect(files.sort()).toEqual([...NAMES].sort());
	expect(Object.keys(DIGESTS).sort()).toEqual(files);
});

describe.each(NAMES)("%s", (name) => {
	test("is still understood, and says what it said", () => {
		const message = read(name);
		expect(ENVELOPED.includes(name) ? checkEnvelope(message) : checkContract(name, message)).toEqual({ ok: true, value: message });
	});
	test("was not changed", () => {
		expect(digest(read(name))).toBe(DIGESTS[name]);
	});
});
