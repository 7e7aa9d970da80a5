// Shows that sources stay small, say what they are, and keep the words and habits that the project has agreed on.
import { describe, expect, test } from "vitest";
import { ROOMS, roomOf } from "./rooms.ts";
import { bareCode, readSources, type Source, withoutComments } from "./sources.ts";

const PURE_LINES_MAX = 250;
const LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;

const CODE = readSources([".ts", ".mjs"]);
const TYPESCRIPT = CODE.filter(({ path }) => path.endsWith(".ts"));
const TESTS = TYPESCRIPT.filter(({ path }) => path.startsWith("test/"));
const PRODUCTION = CODE.filter(({ path }) => !path.startsWith("test/"));
/** Everything that people read. This file spells what it looks for in pieces, so that it need not leave itself out. */
const READ_BY_PEOPLE = readSources([".ts", ".mjs", ".md", ".yaml", ".yml", ".json", ".sh", ".c", ".h", ".html", ".css"]).filter(
	({ path }) => !path.endsWith("package-lock.json"),
);

const linesOf = (text: string): number => text.replace(/\n$/, "").split("\n").length;
const lineAt = (text: string, at: number): number => text.slice(0, at).split("\n").length;

/** Where a function body begins: an arrow, the word function, or a method. Rough, and good enough for a budget. */
const BODIES = [/=>\s*\{/g, /\bfunction\b[^{;]*\{/g, /^\t+(?:(?:static|async|get|set|override) )*[#\w]+(?:<[^>]*>)?\([^;{}]*\)(?:: [^{};=]+)? \{/gm];
const NOT_A_METHOD = /^\t+(?:if|for|while|switch|catch|with|return)\b/;

const endOf = (code: string, from: number): number => {
	let depth = 0;
	for (let at = from; at < code.length; at++) {
		if (code.charAt(at) === "{") depth += 1;
		else if (code.charAt(at) === "}" && --depth === 0) return at;
	}
	return code.length;
};

/** First line and number of lines of every function. */
const functionsOf = (text: string): readonly { readonly line: number; readonly lines: number }[] => {
	const code = bareCode(text);
	return BODIES.flatMap((form) => [...code.matchAll(form)])
		.filter(([whole]) => !NOT_A_METHOD.test(whole))
		.map(({ index, 0: whole }) => {
			const line = lineAt(code, index);
			return { line, lines: lineAt(code, endOf(code, index + whole.length - 1)) - line + 1 };
		});
};

/** What people read of a file: its comments, or all of it where it is no program; line for line. */
const commentsOf = (text: string): string => (/^(?:\/\/|#!|\/\*)/.test(text) ? text.replace(/^(?!\s*(?:\/\/|\/?\*)).*$/gm, "") : text);

const LATER_WORDS = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"];
const LATER = new RegExp(`\\b(?:${LATER_WORDS.join("|")})\\b`, "g");
const PAPERS = new RegExp(["\\bDES" + "IGN\\b", "/wo" + "rk/", "/tmp/bri" + "efs", "\\b[Ii]ssue #?\\d", "\\breference/\\w+\\.md"].join("|"), "g");
const MAKERS = new RegExp(`\\b(?:${["clau" + "de", "anthro" + "pic", "chat" + "gpt", "open" + "ai", "co" + "pilot"].join("|")})\\b`, "gi");
/** Codes of a paper that a reader does not have: a letter with a number. */
const CODES = /(?<![\w./-])[GWFI]\d{1,2}(?![\w.-])/g;
const ANYTHING = new RegExp(["\\bas an" + "y\\b", ":\\s*an" + "y\\b", "<an" + "y>"].join("|"), "g");
const SILENCED = new RegExp(["@ts-ig" + "nore", "@ts-noch" + "eck", "eslint-dis" + "able"].join("|"), "g");
const DEFAULTS = /^export default\b/gm;
const CHANGING = /^(?:export )?(?:let|var)\b.*$/gm;
const LEFT_ALONE = /\b(?:describe|test|it|suite)(?:\.\w+)*\.(?:skip|only|todo|skipIf|runIf|fails)\b|\b(?:xit|xdescribe|fdescribe|fit)\(/g;
const SLEEP = /\bsleep\w*\s*\(|\b(?:const|function) sleep\b|from "node:timers\/promises"/g;

/** `path:line what` for every match of a form in the texts. */
const found = (sources: readonly Source[], form: RegExp, read: (text: string) => string = (text) => text): readonly string[] =>
	sources.flatMap(({ path, text }) => [...read(text).matchAll(form)].map((match) => `${path}:${lineAt(read(text), match.index)} ${match[0].trim()}`));

describe("size", () => {
	test(`a pure file has at most ${PURE_LINES_MAX} lines, any file ${LINES_MAX}`, () => {
		const budget = ({ path }: Source): number => (ROOMS[roomOf(path) ?? ""]?.pure === true ? PURE_LINES_MAX : LINES_MAX);
		expect(CODE.filter((source) => linesOf(source.text) > budget(source)).map(({ path, text }) => `${path} has ${linesOf(text)} lines`)).toEqual([]);
	});
	test(`a function has at most ${FUNCTION_LINES_MAX} lines`, () => {
		const long = PRODUCTION.flatMap(({ path, text }) =>
			functionsOf(text)
				.filter(({ lines }) => lines > FUNCTION_LINES_MAX)
				.map(({ line, lines }) => `${path}:${line} has ${lines} lines`),
		);
		expect(long).toEqual([]);
	});
	test("functions are measured at all", () => {
		const text =
			'export const one = (a: number): number => {\n\treturn a;\n};\nclass B {\n\tasync two(a: string): Promise<void> {\n\t\tif (a === "}") {\n\t\t\treturn;\n\t\t}\n\t}\n}\n';
		expect(functionsOf(text)).toEqual([
			{ line: 1, lines: 3 },
			{ line: 5, lines: 5 },
		]);
		expect(PRODUCTION.flatMap(({ text: source }) => functionsOf(source)).length).toBeGreaterThan(200);
	});
});

describe("words", () => {
	test("every file begins with a sentence that says what it decides or what it connects", () => {
		const sentence = (text: string): string =>
			text
				.replace(/^#!.*\n/, "")
				.split("\n")
				.slice(0, 6)
				.join("\n")
				.match(/^(?:\/\/ .*\n?)+/)?.[0]
				.trim() ?? "";
		expect(CODE.filter(({ text }) => !/^\/\/ [A-Z`].*[.!?]$/s.test(sentence(text))).map(({ path }) => path)).toEqual([]);
	});
	test("no name is one that fits everything", () => {
		const VAGUE = ["manager", "managers", "helper", "helpers", "util", "utils", "misc"];
		const isVague = (name: string): boolean => (name.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g) ?? []).some((word) => VAGUE.includes(word.toLowerCase()));
		expect(CODE.filter(({ path }) => isVague(path)).map(({ path }) => path)).toEqual([]);
		const names = TYPESCRIPT.flatMap(({ path, text }) =>
			[...text.matchAll(/^export (?:declare )?(?:abstract )?(?:const|class|function|interface|type|async function) (\w+)/gm)].map((match) => ({
				path,
				name: match[1] ?? "",
			})),
		);
		expect(names.length).toBeGreaterThan(200);
		expect(names.filter(({ name }) => isVague(name)).map(({ path, name }) => `${path} ${name}`)).toEqual([]);
		expect(["fileManager", "Helper", "utils", "HELPERS", "string-util.ts", "misc"].filter((name) => !isVague(name))).toEqual([]);
		expect(["utility", "submission", "helped", "manage"].filter(isVague)).toEqual([]);
	});
	test("nothing is left for later", () => {
		expect(found(CODE, LATER)).toEqual([]);
	});
	test("the project speaks of itself only", () => {
		expect(found(READ_BY_PEOPLE, PAPERS)).toEqual([]);
		expect(found(READ_BY_PEOPLE, MAKERS)).toEqual([]);
		expect(
			found(
				READ_BY_PEOPLE.filter(({ path }) => !path.endsWith(".json")),
				CODES,
				commentsOf,
			),
		).toEqual([]);
	});
});

describe("habits", () => {
	test("types are not talked round", () => {
		expect(found(CODE, ANYTHING, bareCode)).toEqual([]);
		expect(found(CODE, SILENCED)).toEqual([]);
	});
	test("exports have names, and no module has a state that changes", () => {
		expect(found(CODE, DEFAULTS, withoutComments).filter((hit) => !hit.startsWith("vitest.config.ts"))).toEqual([]);
		const rooms = PRODUCTION.filter(({ path }) => !["bin", "build", undefined].includes(roomOf(path)));
		expect(rooms.length).toBeGreaterThan(100);
		expect(found(rooms, CHANGING, withoutComments)).toEqual([]);
	});
	test("no test is left out, left alone, or sleeps", () => {
		expect(found(TESTS, LEFT_ALONE, bareCode)).toEqual([]);
		expect(found(TESTS, SLEEP, withoutComments)).toEqual([]);
	});
	test("every test says in its first line what it shows", () => {
		expect(TESTS.filter(({ path, text }) => path.endsWith(".test.ts") && !/^\/\/ Shows\b/.test(text)).map(({ path }) => path)).toEqual([]);
	});
	test.each([
		[LATER, `// ${LATER_WORDS[0]}: later`],
		[PAPERS, "see the file in /wo" + "rk/main"],
		[PAPERS, "as DES" + "IGN says"],
		[MAKERS, "made by Clau" + "de"],
		[CODES, "// the trap of G" + "12"],
		[CODES, "\tplain(); // W" + "3"],
		[ANYTHING, "const a = b as an" + "y;"],
		[ANYTHING, "const a = (b: an" + "y) => b;"],
		[SILENCED, "// @ts-ig" + "nore"],
		[DEFAULTS, "export default function () {}"],
		[CHANGING, "let count = 0;"],
		[LEFT_ALONE, 'test.only("a", () => {});'],
		[LEFT_ALONE, 'describe.skip("a", () => {});'],
		[SLEEP, "await sl" + "eep(5);"],
	])("%s finds what is planted", (form, planted) => {
		expect(found([{ path: "planted.ts", text: `// Planted.\n${planted}\n` }], form)).toHaveLength(1);
	});
});
