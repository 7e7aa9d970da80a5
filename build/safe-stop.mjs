// Connects policies/safe-stop.yaml to what is made of it: the table that agents carry (edge/machines/safe-stop-rows.ts) and docs/safe-stop.md.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv2020 from "ajv/dist/2020.js";
import { parseDocument } from "yaml";

const root = fileURLToPath(new URL("..", import.meta.url));
const SOURCE = "policies/safe-stop.yaml";

const UNITS_MS = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const milliseconds = (text) => {
	const [, count, unit] = /^(\d+)(ms|s|min|h|d)$/.exec(text);
	return Number(count) * UNITS_MS[unit];
};

/** The rows; throws with the place of the first thing that is wrong. */
export const readRows = (text) => {
	const document = parseDocument(text, { uniqueKeys: true });
	if (document.errors.length > 0) throw new Error(`${SOURCE}: ${document.errors[0].message}`);
	const value = document.toJS();
	const schema = JSON.parse(readFileSync(join(root, "contracts/schemas/policy.safe-stop.v1.schema.json"), "utf8"));
	const validate = new Ajv2020.default({ strict: true }).compile(schema);
	if (!validate(value)) throw new Error(`${SOURCE}: ${validate.errors[0].instancePath} ${validate.errors[0].message}`);
	for (const [kind, { rules }] of Object.entries({ mover: value.mover, still: value.still })) {
		const ids = rules.map(({ id }) => id);
		const twice = ids.find((id, index) => ids.indexOf(id) !== index);
		if (twice !== undefined) throw new Error(`${SOURCE}: ${kind} has the row ${twice} twice`);
	}
	const missing = ["cut", "stop", "link-silent"].filter((cause) => value.still.rules.filter((rule) => rule.cause === cause).length !== 1);
	if (missing.length > 0) throw new Error(`${SOURCE}: still needs exactly one row for ${missing.join(", ")}`);
	return value;
};

const ruleOf = ({ grace, clearAfter, ...rest }) => ({ ...rest, graceMs: milliseconds(grace), clearAfterMs: milliseconds(clearAfter) });
const grouped = (number) => String(number).replaceAll(/\B(?=(\d{3})+$)/g, "_");
const literal = (value) => (typeof value === "number" ? grouped(value) : JSON.stringify(value));
const line = (row) =>
	`{ ${Object.entries(row)
		.map(([name, value]) => `${name}: ${literal(value)}`)
		.join(", ")} }`;

const tableOf = ({ mover, still }) => {
	const timing = Object.fromEntries(Object.entries(mover.timing).map(([name, text]) => [`${name}Ms`, milliseconds(text)]));
	return `// The rows of the safe-stop, made from ${SOURCE} by \`npm run generate\`. Do not edit.
import type { MoverRules } from "./safe-stop-rules.ts";
import type { StillRules } from "./still.ts";

export const MOVER_RULES: MoverRules = {
	timing: ${line(timing)},
	rules: [
${mover.rules.map((rule) => `\t\t${line(ruleOf(rule))},`).join("\n")}
	],
};

export const STILL_RULES: StillRules = {
${still.rules.map(({ cause, ...rule }) => `\t${JSON.stringify(cause)}: ${line(ruleOf(rule))},`).join("\n")}
};
`;
};

const grace = (text) => (text.startsWith("0") ? "at once" : `after ${text}`);
const CLEARS = { itself: "the cause is gone", release: "a release by name", presence: "a person at the node" };
const clears = (rule) => (rule.clearAfter.startsWith("0") ? CLEARS[rule.clears] : `${CLEARS[rule.clears]}, gone for ${rule.clearAfter}`);
const markdown = (head, rows) => [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const TIMES = {
	loopLateAfter: "an update of its own loop that comes later than this counts as late",
	linkGoodFor: "core must be heard for this long before it can be armed or resumed",
	riseWithin: "it must stand by then",
	holdFor: "after this it sits down from hold",
	settleWithin: "outputs go off by then, whether it sits or not",
	leaseMax: "no lease is longer",
};

const pageOf = ({ mover, still }) => `# Safe-stop: when a node stops, how, and what lets it go on

Made from \`${SOURCE}\` by \`npm run generate\`; \`orion explain safe-stop\` prints the same rows. Do not edit.

Deadlines are looked at before anything that is asked; the gravest row counts; nothing arms or resumes by itself; a link that comes back
moves nothing. A stop raises the arm epoch, so that whatever was allowed before is not allowed any more.

## What moves

States: \`boot off rising armed moving hold settling calibrating\` and latched \`cut fault\`. Outputs are off in \`boot off cut fault\`.
Targets are written in \`rising\` and \`settling\`, and in \`moving\` and \`calibrating\` while their lease lives.

${markdown(
	["row", "when", "in", "grace", "does", "goes on after"],
	mover.rules.map((rule) => [`\`${rule.id}\``, rule.says, rule.in, grace(rule.grace), rule.action, clears(rule)]),
)}

\`warn\`: it is said, and nothing more. \`inhibit\`: it cannot be armed or resumed. \`hold\`: freezes, outputs on. \`settle\`: sits down, then off. \`fault\` and \`cut\`: outputs off at
once, latched. A row for \`energised\` only inhibits while outputs are off; one for \`unpowered\` does not count while they are on.

${markdown(
	["time", "is", "meaning"],
	Object.entries(mover.timing).map(([name, text]) => [`\`${name}\``, text, TIMES[name]]),
)}

## What moves nothing

States: \`boot working alone\` and latched \`stopped\`.

${markdown(
	["row", "when", "grace", "becomes", "goes on after"],
	still.rules.map((rule) => [`\`${rule.id}\``, rule.says, grace(rule.grace), rule.becomes, clears(rule)]),
)}
`;

/** File name -> text. */
export const safeStopFiles = () => {
	const rows = readRows(readFileSync(join(root, SOURCE), "utf8"));
	return { "edge/machines/safe-stop-rows.ts": tableOf(rows), "docs/safe-stop.md": pageOf(rows) };
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	for (const [file, text] of Object.entries(safeStopFiles())) writeFileSync(join(root, file), text);
	process.stdout.write("safe-stop: edge/machines/safe-stop-rows.ts and docs/safe-stop.md\n");
}
