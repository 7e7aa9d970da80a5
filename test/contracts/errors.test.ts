// Shows that every fault has a registered code, names whose it is, tells what to do, and is said with all its facts (TELL-7).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ERRORS, type ErrorCode, type ErrorKind, fail, fault, OrionError, sayFault } from "../../contracts/errors.ts";

const ROOT = join(import.meta.dirname, "../..");
const CODES = Object.entries(ERRORS) as readonly (readonly [ErrorCode, ErrorKind])[];
/** What `orion --help` promises, and 70 for a process that must not go on. */
const EXITS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 70];
/** How a sentence that says what to do begins, or goes on after a comma, a full stop or a bracket. */
const ORDER = /(?:^|[.,:;] (?:or |and )?|\. )(?:stop|choose|mend|install|restore|start|name|ask|remove|free|check|publish|use|give|close|try)\b/i;
const namesIn = (text: string): readonly string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");

describe.each(CODES)("%s", (code, { culprit, text, exit, retryable }) => {
	test("is registered whole", () => {
		expect(code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
		expect(["caller", "operator", "peer", "machine", "ours"]).toContain(culprit);
		expect(text.length).toBeGreaterThan(0);
		expect(EXITS).toContain(exit);
		expect(retryable).toBeTypeOf("boolean");
	});
	if (culprit === "operator") {
		test("tells the operator what to do", () => {
			expect(text).toMatch(ORDER);
		});
	}
	test("is said with its facts, and shows a fact that is missing", () => {
		const names = namesIn(text);
		const facts = Object.fromEntries(names.map((name, index) => [name, `<${index}>`]));
		const said = sayFault(fault(code, facts));
		expect(said).not.toMatch(/\{\w+\}/);
		for (const value of Object.values(facts)) expect(said).toContain(value);
		expect(sayFault(fault(code))).toBe(text);
	});
});

describe("sayFault", () => {
	test("writes numbers and truth values, and does not look into what a fact says", () => {
		expect(sayFault(fault("TOO_LARGE", { bytes: 70_000, bytesMax: 65_536 }))).toBe("70000 bytes; at most 65536 are allowed");
		expect(sayFault(fault("USAGE", { detail: "{file} $& $1 {detail}" }))).toBe("{file} $& $1 {detail}");
		expect(sayFault(fault("USAGE", { detail: false }))).toBe("false");
	});
});

describe("OrionError", () => {
	test("carries its fault, its sentence and its cause through code that cannot return a Result", () => {
		const cause = new Error("EADDRINUSE");
		const error = new OrionError("PORT_IN_USE", { port: 1883, host: "127.0.0.1", flag: "--mqtt-port" }, { cause });
		expect(error.fault).toEqual(fail("PORT_IN_USE", { port: 1883, host: "127.0.0.1", flag: "--mqtt-port" }).fault);
		expect(error.message).toBe("port 1883 on 127.0.0.1 is in use. Stop what listens there, or choose another with --mqtt-port (0 = any free port).");
		expect(error.name).toBe("OrionError(PORT_IN_USE)");
		expect(error.cause).toBe(cause);
		expect(error).toBeInstanceOf(Error);
	});
});

const sources = (folder: string): readonly string[] =>
	readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
		const path = `${folder}/${entry.name}`;
		if (entry.isDirectory()) return entry.name === "gen" ? [] : sources(path);
		return entry.name.endsWith(".ts") ? [path] : [];
	});

const OPENING = "{[(";
const CLOSING = "}])";

/** The keys of an object literal that begins at `from`, just after its bracket; undefined where one is spread into it. */
const keysOf = (text: string, from: number): readonly string[] | undefined => {
	const keys: string[] = [];
	let depth = 0;
	let word = "";
	for (let at = from; at < text.length; at++) {
		const letter = text.charAt(at);
		if (depth === 0 && (letter === "," || letter === "}")) {
			const key = word.trim();
			if (key.startsWith("...")) return undefined;
			if (key !== "") keys.push(/^"?(\w+)/.exec(key)?.[1] ?? key);
			if (letter === "}") return keys;
			word = "";
			continue;
		}
		if (OPENING.includes(letter)) depth += 1;
		if (CLOSING.includes(letter)) depth -= 1;
		word += letter;
	}
	return undefined;
};

describe("where faults are made", () => {
	const FAULT = /\b(?:fail|fault|OrionError)\(\s*"([A-Z_]+)"\s*(\)|,\s*\{)/g;
	test("their code is registered, and no {name} of their sentence is left open", () => {
		const wrong: string[] = [];
		let seen = 0;
		for (const file of ["agents", "broker", "contracts", "core", "edge", "log"].flatMap(sources)) {
			const text = readFileSync(join(ROOT, file), "utf8");
			for (const match of text.matchAll(FAULT)) {
				const [whole, code = "", opening] = match;
				seen += 1;
				if (!Object.hasOwn(ERRORS, code)) {
					wrong.push(`${file}: ${code} is not registered`);
					continue;
				}
				const given = opening === ")" ? [] : keysOf(text, match.index + whole.length);
				const open = given === undefined ? [] : namesIn(ERRORS[code as ErrorCode].text).filter((name) => !given.includes(name));
				if (open.length > 0) wrong.push(`${file}: ${code} without ${open.join(", ")}`);
			}
		}
		expect(wrong).toEqual([]);
		expect(seen).toBeGreaterThan(50);
	});
});
