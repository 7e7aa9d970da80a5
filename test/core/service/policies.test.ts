// Shows that a bad policy is refused whole, with file, line, column and what was expected there, and that the shipped ones mean what they say.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digest } from "../../../contracts/digest.ts";
import { sayFault } from "../../../contracts/errors.ts";
import { checkYaml } from "../../../core/service/checked-yaml.ts";
import { loadPolicy, missingPolicy, POLICY_FILES } from "../../../core/service/policies.ts";
import { policyTexts, shippedPolicy } from "../../support/engine.ts";

type File = (typeof POLICY_FILES)[number];

const swap = (from: string, to: string) => (text: string) => {
	if (text.split(from).length !== 2) throw new Error(`${from} does not stand there exactly once`);
	return text.replace(from, to);
};
const append = (more: string) => (text: string) => `${text}${more}\n`;

/** file, change, where (line and column of a text that the changed file has), what is said */
type Bad = readonly [name: string, file: File, change: (text: string) => string, at: string, says: RegExp];

const RULE = "  - { id: x, kind: event, on: dev.orion.process.down.v1, key: '{node}', severity: error, title: t }";
const REMEDY = "  - { id: x, rule: service-down, action: process.restart, with: { service: '{service}' }, says: s }";

const BAD: readonly Bad[] = [
	["no YAML at all", "limits.yaml", () => "version: [1", "", /./],
	["a tab for an indent", "limits.yaml", append("\t- x"), "\t- x", /tab|indent|implicit|block/i],
	["a key that stands there twice", "limits.yaml", append("askTimesMax: 6"), "askTimesMax: 6", /unique/i],
	["a tag of another program", "limits.yaml", swap("reopenWithin: 10min", "reopenWithin: !!js/function 10min"), "!!js", /tag/i],
	["an alias without an anchor", "limits.yaml", swap("reopenWithin: 10min", "reopenWithin: *none"), "", /alias|anchor/i],
	["two documents", "limits.yaml", append("---\nversion: 1"), "---", /document/i],
	["a list for a table", "limits.yaml", () => "- version: 1", "- version", /object/],
	["a version of the future", "limits.yaml", swap("version: 1", "version: 2"), "version: 2", /version/],
	["an unknown key", "limits.yaml", append("reopenAfter: 3min"), "reopenAfter", /reopenAfter/],
	["a key that is missing", "limits.yaml", swap("receiptWithin: 15s\n", ""), "", /receiptWithin/],
	["a duration without a unit", "limits.yaml", swap("receiptWithin: 15s", "receiptWithin: 15"), "receiptWithin", /receiptWithin/],
	["a duration with another unit", "limits.yaml", swap("receiptWithin: 15s", "receiptWithin: 15 sec"), "receiptWithin", /receiptWithin/],
	["a count below its bound", "limits.yaml", swap("askTimesMax: 5", "askTimesMax: -1"), "askTimesMax", /askTimesMax/],
	["a risk that is none", "actions.yaml", (text) => text.replace("risk: SAFE", "risk: safe"), "risk: safe", /SAFE/],
	["an action twice", "actions.yaml", swap("id: process.stop", "id: process.restart"), "id: process.restart\n    risk: RISKY", /second time/],
	[
		"a remedy with an unknown action",
		"autonomy.yaml",
		swap("action: process.restart", "action: process.reset"),
		"action: process.reset",
		/no action process\.reset/,
	],
	["a remedy for an unknown rule", "autonomy.yaml", swap("rule: service-down", "rule: service-gone"), "rule: service-gone", /no rule service-gone/],
	[
		"a remedy with an argument too few",
		"autonomy.yaml",
		swap('action: process.restart\n    with: { service: "{service}" }', "action: process.restart\n    with: {}"),
		"with: {}",
		/takes the arguments \(service\)/,
	],
	[
		"a remedy with an argument too many",
		"autonomy.yaml",
		append(REMEDY.replace("'{service}'", "'{service}', force: 'yes'")),
		"with: { service: '{service}', force",
		/not \(force, service\)/,
	],
	["a remedy with a name that nothing fills", "autonomy.yaml", append(REMEDY.replace("'{service}'", "'{servce}'")), "service: '{servce}'", /not \{servce\}/],
	[
		"a remedy that needs a service for a rule that has none",
		"autonomy.yaml",
		append(REMEDY.replace("service-down", "node-lost")),
		"service: '{service}'",
		/no service/,
	],
	[
		"a gate that acts at N0 (HARM-2)",
		"autonomy.yaml",
		swap("level: [N0], risk: [SAFE, RISKY], verdict: would", "level: [N0], risk: [SAFE], verdict: act"),
		"level: [N0]",
		/N0 only observes/,
	],
	[
		"a gate that asks at N0 (HARM-31)",
		"autonomy.yaml",
		swap("level: [N0], risk: [SAFE, RISKY], verdict: would", "level: [N0], risk: [SAFE], verdict: ask"),
		"level: [N0]",
		/N0 only observes/,
	],
	[
		"a gate that asks for what is RISKY at N2 (HARM-31)",
		"autonomy.yaml",
		swap("risk: [RISKY], verdict: refused", "risk: [RISKY], verdict: ask"),
		"level: [N2], risk: [RISKY], verdict: ask",
		/needs N3/,
	],
	["a remedy for a key that nothing fills", "autonomy.yaml", swap("{node}/service-runaway", "{nod}/service-runaway"), 'key: "{nod}', /not \{nod\}/],
	["an inverse that is no action", "actions.yaml", swap("inverse: process.restart", "inverse: process.start"), "inverse", /no other action process\.start/],
	[
		"two rows for the same count of pulses",
		"presence.yaml",
		swap("missed: 6", "missed: 3"),
		"missed: 3\n    parent: here\n    found: lost",
		/3 missed pulses already/,
	],
	[
		"a row of presence that stands there twice",
		"presence.yaml",
		swap("id: many-missing", "id: some-missing"),
		"id: some-missing\n    missed: 6",
		/second time/,
	],
	["a pulse that nobody can keep up with", "presence.yaml", swap("pulse: 1s", "pulse: 99ms"), "pulse: 99ms", /100 ms to 10 min/],
	["a question without an end", "approvals.yaml", swap("decideWithin: 10min", "decideWithin: 2d"), "decideWithin", /1 s to 24 h/],
	["a question that nobody has time for", "approvals.yaml", swap("executeWithin: 60s", "executeWithin: 1ms"), "executeWithin", /1 s to 24 h/],
	[
		"a gate that acts on what is RISKY (HARM-2)",
		"autonomy.yaml",
		swap("risk: [RISKY], verdict: refused", "risk: [RISKY], verdict: act"),
		"risk: [RISKY], verdict: act",
		/never done without a person/,
	],
	["a gate verdict that is none", "autonomy.yaml", swap("verdict: would", "verdict: maybe"), "verdict: maybe", /verdict/],
	["a rule twice", "correlation.yaml", append(RULE.replace("id: x", "id: alert")), "id: alert, kind", /second time/],
	["a rule on an unknown event", "correlation.yaml", append(RULE.replace("process.down.v1", "process.gone.v1")), "on: dev.orion.process.gone", /no event/],
	[
		"a rule on an event of the future",
		"correlation.yaml",
		append(RULE.replace("process.down.v1", "process.down.v2")),
		"on: dev.orion.process.down.v2",
		/no event/,
	],
	[
		"a rule on what the engine writes",
		"correlation.yaml",
		append(RULE.replace("process.down.v1", "incident.opened.v1")),
		"on: dev.orion.incident",
		/engine itself/,
	],
	["a rule on the clock", "correlation.yaml", append(RULE.replace("process.down.v1", "clock.tick.v1")), "on: dev.orion.clock", /engine itself/],
	[
		"a rule cleared by an unknown event",
		"correlation.yaml",
		append(RULE.replace("key:", "clear: [dev.orion.process.gone.v1], key:")),
		"dev.orion.process.gone.v1]",
		/no event/,
	],
	[
		"a rule cleared by what the engine writes",
		"correlation.yaml",
		append(RULE.replace("key:", "clear: [dev.orion.outcome.verified.v1], key:")),
		"dev.orion.outcome",
		/engine itself/,
	],
	["a rule whose key nothing fills", "correlation.yaml", append(RULE.replace("'{node}'", "'{node}/{servce}'")), "key: '{node}/{servce}'", /no field servce/],
	[
		"a rule that its clear event cannot reach",
		"correlation.yaml",
		append(RULE.replace("key: '{node}'", "clear: [dev.orion.node.state.v1], key: '{node}/{service}'")),
		"dev.orion.node.state.v1], key",
		/never clear/,
	],
	["a rule whose title nothing fills", "correlation.yaml", append(RULE.replace("title: t", "title: '{reason}'")), "title: '{reason}'", /no field reason/],
	[
		"a rule on a field that the event has not",
		"correlation.yaml",
		append(RULE.replace("key:", "equals: { reason: x }, key:")),
		"equals: { reason",
		/no field reason/,
	],
	[
		"a rule cleared by a field that the event has not",
		"correlation.yaml",
		append(RULE.replace("key:", "clear: [dev.orion.process.up.v1], clearEquals: { reason: x }, key:")),
		"reason: x",
		/no field reason/,
	],
	[
		"a severity from an event that says none",
		"correlation.yaml",
		append(RULE.replace("severity: error", "severity: from-event")),
		"severity: from-event, title: t",
		/no severity/,
	],
	["a threshold without a bound", "correlation.yaml", swap("    above: 80\n", ""), "id: too-hot", /field and above/],
	[
		"a threshold on an unknown field",
		"correlation.yaml",
		swap("field: temperatureMaxCelsius", "field: temperature"),
		"field: temperature",
		/no field temperature/,
	],
	["a threshold that clears above itself", "correlation.yaml", swap("clearBelow: 75", "clearBelow: 85"), "clearBelow: 85", /higher than above/],
	["an absence without a time", "correlation.yaml", append(RULE.replace("kind: event", "kind: absence")), "{ id: x", /how long/],
	[
		"quiet where only an event clears",
		"correlation.yaml",
		append(RULE.replace("kind: event", "kind: absence, for: 1min, quietFor: 1h")),
		"quietFor: 1h, on",
		/quiet/,
	],
];

/** Line and column of the first place of a text. */
const placeOf = (text: string, part: string): { readonly line: number; readonly column: number } => {
	const before = text.slice(0, text.indexOf(part)).split("\n");
	return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
};

describe("a bad policy (RUN-3)", () => {
	test.each(BAD)("%s is refused, and where", (_name, file, change, at, says) => {
		const texts = policyTexts({ [file]: change });
		const loaded = loadPolicy(texts);
		if (loaded.ok) throw new Error("it was taken");
		expect(loaded.fault.code).toBe("POLICY_INVALID");
		expect(String(loaded.fault.facts["detail"])).toMatch(says);
		expect(loaded.fault.facts).toMatchObject({ file: `policies/${file}` });
		expect(sayFault(loaded.fault)).toMatch(new RegExp(`^policies/${file}:\\d+:\\d+: `));
		if (at !== "") expect({ line: loaded.fault.facts["line"], column: loaded.fault.facts["column"] }).toEqual(placeOf(texts[file].text, at));
	});

	test("aliases of aliases that would fill the memory are refused", () => {
		const bomb = [
			"a: &a [x,x,x,x,x,x,x,x,x,x]",
			..."bcdefghi".split("").map((name, n) => `${name}: &${name} [${Array(10).fill(`*${"abcdefghi"[n]}`).join(",")}]`),
		];
		const loaded = loadPolicy(policyTexts({ "limits.yaml": () => bomb.join("\n") }));
		expect(loaded.ok).toBe(false);
	});

	test("property: any text at all gives a policy or a fault with a place, and never throws", () => {
		const shipped = policyTexts()["correlation.yaml"].text;
		const spoiled = fc
			.tuple(
				fc.nat({ max: shipped.length }),
				fc.nat({ max: 30 }),
				fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom("\t", "*a", "&a", "{", "]", "- ", ": ", "\n---\n", "!!set", "'", '"', "? ")),
			)
			.map(([at, length, text]) => shipped.slice(0, at) + text + shipped.slice(at + length));
		fc.assert(
			fc.property(spoiled, (text) => {
				const loaded = loadPolicy(policyTexts({ "correlation.yaml": () => text }));
				if (loaded.ok) return;
				expect(loaded.fault.facts["line"]).toBeGreaterThan(0);
				expect(loaded.fault.facts["column"]).toBeGreaterThan(0);
				expect(sayFault(loaded.fault)).not.toMatch(/\{(file|line|column|detail)\}/);
			}),
			{ numRuns: 150 },
		);
	});

	test("a file that is not there is named", () => {
		expect(missingPolicy("policies/limits.yaml", "no such file").fault.facts).toEqual({
			file: "policies/limits.yaml",
			line: 1,
			column: 1,
			detail: "no such file",
		});
	});
});

describe("the shipped policies", () => {
	test("load, and their hash says what they mean, not how they are written", () => {
		const { hash, content, files } = shippedPolicy();
		expect(hash).toBe(digest(content));
		expect(shippedPolicy().hash).toBe(hash);
		expect(files).toEqual(POLICY_FILES.map((file) => `policies/${file}`));
		const spaced = loadPolicy(policyTexts({ "limits.yaml": (text) => text.replaceAll(": ", ":   ") }));
		expect(spaced.ok && spaced.value.hash).toBe(hash);
		const other = loadPolicy(policyTexts({ "limits.yaml": swap("askTimesMax: 5", "askTimesMax: 6") }));
		expect(other.ok && other.value.hash).not.toBe(hash);
	});

	test("every row knows the line that it stands on", () => {
		const texts = policyTexts();
		const { actions, gate, remedies, rules } = shippedPolicy().content;
		for (const { id, at } of [...actions, ...gate, ...remedies, ...rules]) {
			const [file, line] = at.replace("policies/", "").split(":");
			expect(texts[file as File].text.split("\n")[Number(line) - 1]).toContain(`id: ${id}`);
		}
	});

	test("only restarting is SAFE; every action has an end, a breaker and a word about undoing it", () => {
		for (const action of shippedPolicy().content.actions) {
			expect(action.risk === "SAFE").toBe(action.id.endsWith(".restart"));
			for (const ms of [action.notAfterMs, action.clearForMs, action.withinMs, action.cooldownMs, action.breakerOpenMs]) expect(ms).toBeGreaterThan(0);
			expect(action.breakerFailures).toBe(2);
			expect(action.undoSays).not.toBe("");
		}
	});
});

describe("checked YAML", () => {
	const check = (text: string) => checkYaml("orion.yaml", text, "config.orion", "CONFIG_INVALID");

	test("an empty file is an empty table", () => {
		for (const text of ["", "\n", "# nothing\n", "---\n"]) expect(check(text)).toMatchObject({ ok: true, value: { value: {} } });
	});

	test("a place is given for every part, and for the nearest one where a part is missing", () => {
		const checked = check("node: pi-1\nprocesses:\n  web:\n    command: [a, b]\n");
		if (!checked.ok) throw new Error(sayFault(checked.fault));
		expect(checked.value.at(["processes", "web"])).toBe("orion.yaml:3");
		expect(checked.value.at(["processes", "web", "command", 1])).toBe("orion.yaml:4");
		expect(checked.value.at(["processes", "web", "cwd"])).toBe("orion.yaml:4");
		expect(checked.value.wrong(["node"], "x").fault.facts).toEqual({ file: "orion.yaml", line: 1, column: 1, detail: "x" });
	});

	test("keys with slashes and tildes are found", () => {
		expect(check("processes:\n  ok: {command: [a]}\n  'a/b~c': {command: 7}\n")).toMatchObject({ ok: false, fault: { facts: { line: 3 } } });
	});
});
