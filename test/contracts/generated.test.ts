// Shows that what is generated from the schemas is up to date, stands alone in plain Node, and that the schemas themselves are whole.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { generate, readSchemas } from "../../build/contracts.mjs";
import { ENVELOPED, KNOWN_FIELDS, VALIDATORS } from "../../contracts/gen/validate.ts";

const ROOT = join(import.meta.dirname, "../..");
const GENERATED = join(ROOT, "contracts/gen");

interface Schema {
	readonly $id?: string;
	readonly title?: string;
	readonly description?: string;
	readonly type?: string | readonly string[];
	readonly const?: unknown;
	readonly enum?: readonly unknown[];
	readonly required?: readonly string[];
	readonly properties?: Readonly<Record<string, Schema>>;
	readonly items?: Schema;
	readonly $defs?: Readonly<Record<string, Schema>>;
	readonly anyOf?: readonly Schema[];
	readonly additionalProperties?: boolean | Schema;
	readonly maxProperties?: number;
	readonly minimum?: number;
	readonly maximum?: number;
	readonly maxLength?: number;
	readonly maxItems?: number;
}
const SCHEMAS = readSchemas().map(({ name, schema }) => ({ name, schema: schema as Schema }));

describe("generated files", () => {
	test("are what the schemas give today: run `npm run generate` after a change", async () => {
		const fresh = await generate();
		expect(readdirSync(GENERATED).sort()).toEqual(Object.keys(fresh).sort());
		for (const [file, text] of Object.entries(fresh))
			expect(readFileSync(join(GENERATED, file), "utf8") === text, `contracts/gen/${file} is out of date`).toBe(true);
	});

	test("validators run in plain Node, without a loader and without require", () => {
		const file = join(GENERATED, "validators.js");
		// The library's runtime names its own source in a text; that is no call.
		expect(readFileSync(file, "utf8").replaceAll(/code='require\("ajv\/[^']*'/g, "")).not.toMatch(/\brequire\(/);
		const program = `import(${JSON.stringify(pathToFileURL(file).href)}).then(({ alertFiring }) => {
			const good = alertFiring({ name: "a", severity: "info", summary: "ä€😀" });
			const bad = alertFiring({ name: "a", severity: "info", summary: "" });
			process.stdout.write(JSON.stringify([good, bad, alertFiring.errors[0].instancePath]));
		})`;
		const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=commonjs", "-e", program], { encoding: "utf8", env: {}, cwd: "/" });
		expect({ stdout, stderr, status }).toEqual({ stdout: '[true,false,"/summary"]', stderr: "", status: 0 });
	});

	test("know every contract by name, and which of them travel in envelopes", () => {
		const names = SCHEMAS.map(({ name }) => name);
		expect(Object.keys(VALIDATORS)).toEqual(names);
		expect(Object.keys(KNOWN_FIELDS)).toEqual(names);
		const never = [
			"action.command",
			"config.broker",
			"config.node",
			"config.orion",
			"core.beacon",
			"core.bundle",
			"envelope",
			"kept.rehearsal",
			"kept.services",
			"lease.end",
			"lease.open",
			"lease.renew",
			"node.verdict",
			"node.watermark",
			"stop.order",
		];
		expect(names.filter((name) => !ENVELOPED.some((enveloped) => enveloped === name))).toEqual(
			[...never, ...names.filter((name) => name.startsWith("policy.") && name !== "policy.activated")].sort(),
		);
	});
});

/** Every schema inside a schema, with its path. */
const inner = function* (schema: Schema, path: string): Generator<readonly [string, Schema]> {
	yield [path, schema];
	for (const [name, property] of Object.entries(schema.properties ?? {})) yield* inner(property, `${path}/${name}`);
	if (schema.items !== undefined) yield* inner(schema.items, `${path}/*`);
	if (typeof schema.additionalProperties === "object") yield* inner(schema.additionalProperties, `${path}/*`);
	for (const branch of schema.anyOf ?? []) yield* inner(branch, path);
	for (const [name, shared] of Object.entries(schema.$defs ?? {})) yield* inner(shared, `${path}/$defs/${name}`);
};
const typesOf = ({ type }: Schema): readonly string[] => (type === undefined ? [] : typeof type === "string" ? [type] : type);

/** What is wrong with the bounds of one schema: nothing that a message carries may be as long as its sender likes. */
const unbounded = (schema: Schema): string | undefined => {
	const types = typesOf(schema);
	const isClosed = schema.enum !== undefined || schema.const !== undefined;
	if (types.includes("string") && schema.maxLength === undefined && !isClosed) return "a text without maxLength";
	if (types.includes("array") && schema.maxItems === undefined) return "a list without maxItems";
	if (types.includes("integer") && (schema.minimum === undefined || schema.maximum === undefined)) return "an integer without minimum and maximum";
	if (typeof schema.additionalProperties === "object" && schema.maxProperties === undefined) return "a table without maxProperties";
	return undefined;
};

const UNIT = /(Ms|Mm|Mv|Degrees|DegreesPerSecond|Bytes|Seconds|Celsius|Ratio|RatioMax|Minutes|Ticks|PerHour)$/;
const COUNTED =
	/^(\w*[sS]eq|tick|times|attempt|position|causeposition|decidedUpTo|counter|conn|\w*[cC]ount|load\d+|failures|downs|starts|pid|uses|left|missed|number|reconciled|version|grant|acted|refused|exitCode|port|contracts|stateSchema|mono|bytes|value|threshold|above|clearBelow|repeats|armEpoch|\w+Max|\w+Position)$/;

/** Numbers that stand in a table which says the unit once for all that is in it, or that have none; each with its reason. */
const NO_UNIT_OF_THEIR_OWN: Readonly<Record<string, string>> = {
	"kept.rehearsal/records/*/step": "the number of a step, no quantity",
	"policy.robot/linksMm/coxa": "the name of a leg's part; its table says mm",
	"policy.robot/linksMm/femur": "the name of a leg's part; its table says mm",
	"policy.robot/linksMm/tibia": "the name of a leg's part; its table says mm",
	"policy.robot/heightsMm/sit": "the name of a posture; its table says mm",
	"policy.robot/heightsMm/stand": "the name of a posture; its table says mm",
	"policy.robot/centreOfMassMm/x": "an axis of a vector, which says mm",
	"policy.robot/centreOfMassMm/y": "an axis of a vector, which says mm",
	"policy.robot/centreOfMassMm/z": "an axis of a vector, which says mm",
	"policy.robot/legs/*/mountMm/x": "an axis of a vector, which says mm",
	"policy.robot/legs/*/mountMm/y": "an axis of a vector, which says mm",
	"policy.robot/batteryMv/warn": "what is done at that voltage; its table says mV",
	"policy.robot/batteryMv/sit": "what is done at that voltage; its table says mV",
	"policy.robot/batteryMv/cut": "what is done at that voltage; its table says mV",
	"policy.robot/batteryMv/armMin": "what is done at that voltage; its table says mV",
	"policy.robot/$defs/range/min": "shared by ranges in mm and in degrees; the range says which",
	"policy.robot/$defs/range/max": "shared by ranges in mm and in degrees; the range says which",
	"policy.robot/$defs/servo/channel": "a number on the vendor's board, no quantity",
};

test("every number that is excepted from carrying its unit is there, and would not pass otherwise", () => {
	const numbers = SCHEMAS.flatMap(({ name, schema }) =>
		[...inner(schema, "")].flatMap(([path, part]) => Object.keys(part.properties ?? {}).map((field) => ({ place: `${name}${path}/${field}`, field }))),
	);
	const needed = numbers.filter(({ place, field }) => place in NO_UNIT_OF_THEIR_OWN && !UNIT.test(field) && !COUNTED.test(field)).map(({ place }) => place);
	expect(needed.sort()).toEqual(Object.keys(NO_UNIT_OF_THEIR_OWN).sort());
});

describe.each(SCHEMAS)("schema $name", ({ name, schema }) => {
	const parts = [...inner(schema, "")];
	test("is named after its file and says what it is", () => {
		expect(schema.$id).toBe(`https://orion.dev/schemas/${name}.v1.json`);
		expect(schema.title).toBe(name.replace(/(?:^|[.-])(\w)/g, (_, letter: string) => letter.toUpperCase()));
		expect(schema.description).toMatch(/[.`]$/);
	});
	test("describes every property and bounds every value", () => {
		const properties = parts.flatMap(([path, part]) =>
			Object.entries(part.properties ?? {}).map(([field, property]) => [`${path}/${field}`, property] as const),
		);
		expect(properties.filter(([, property]) => (property.description ?? "") === "").map(([path]) => path)).toEqual([]);
		expect(parts.map(([path, part]) => [path, unbounded(part)]).filter(([, wrong]) => wrong !== undefined)).toEqual([]);
	});
	test("demands only what it names, and numbers carry their unit", () => {
		for (const [path, part] of parts) {
			expect({ path, unnamed: (part.required ?? []).filter((field) => part.properties?.[field] === undefined) }).toEqual({ path, unnamed: [] });
			for (const [field, property] of Object.entries(part.properties ?? {})) {
				if (!typesOf(property).some((type) => type === "integer" || type === "number") || typesOf(property).includes("string")) continue;
				const says = UNIT.test(field) || COUNTED.test(field) || field === "celsius" || `${name}${path}/${field}` in NO_UNIT_OF_THEIR_OWN;
				expect({ path: `${path}/${field}`, says }).toEqual({ path: `${path}/${field}`, says: true });
			}
		}
	});
	test("is closed where an unknown field could hide something: commands, approvals, beacons, policies, configurations, files", () => {
		const strict = /^(action\.command|approval\.|core\.beacon|core\.bundle|node\.watermark|lease\.(?!opened|ended)|policy\.(?!activated)|config\.|kept\.)/.test(
			name,
		);
		const open = parts.filter(([, part]) => part.properties !== undefined && part.additionalProperties !== false).map(([path]) => path);
		if (strict) expect(open).toEqual([]);
		else expect(open).toContain("");
	});
});
