// Connects contracts/schemas to contracts/gen: TypeScript types and standalone validators from the JSON Schemas, the only source.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv2020 from "ajv/dist/2020.js";
import standaloneCode from "ajv/dist/standalone/index.js";
import { build } from "esbuild";
import { compile } from "json-schema-to-typescript";

const root = fileURLToPath(new URL("..", import.meta.url));
const SUFFIX = ".v1.schema.json";

export const readSchemas = () =>
	readdirSync(join(root, "contracts/schemas"))
		.filter((file) => file.endsWith(SUFFIX))
		.sort()
		.map((file) => ({ name: file.slice(0, -SUFFIX.length), schema: JSON.parse(readFileSync(join(root, "contracts/schemas", file), "utf8")) }));

const HEADER = "// Generated from contracts/schemas by `npm run generate`. Do not edit.\n";
/** Contracts that say how core and node files look, not how a message looks. */
const FILE_FAMILIES = [
	"policy.actions",
	"policy.approvals",
	"policy.autonomy",
	"policy.correlation",
	"policy.limits",
	"policy.presence",
	"policy.robot",
	"policy.safe-stop",
	"config.orion",
	"config.broker",
	"config.node",
	"kept.rehearsal",
	"kept.services",
];
const WIRE_FAMILIES = [
	"action.command",
	"core.beacon",
	"core.bundle",
	"lease.end",
	"lease.open",
	"lease.renew",
	"node.pulse",
	"node.verdict",
	"node.watermark",
	"stop.order",
];
/** Travels in an envelope and is not recorded. */
const LIVE_FAMILIES = ["node.pulse"];
const isRecord = (name) => name !== "envelope" && !FILE_FAMILIES.includes(name) && !WIRE_FAMILIES.includes(name);

const typesOf = async (schemas) => {
	const parts = [];
	for (const { schema } of schemas) {
		// Array bounds would become tuple unions of every length, and "true" for unknown fields hides typing errors of ours.
		const plain = JSON.parse(JSON.stringify(schema, (key, value) => (key === "maxItems" || key === "minItems" ? undefined : value)));
		parts.push(await compile(plain, schema.title, { bannerComment: "", additionalProperties: false, format: false }));
	}
	const record = schemas.filter(({ name }) => isRecord(name));
	const map = record.map(({ name, schema }) => `\t"dev.orion.${name}.v1": ${schema.title};`).join("\n");
	const names = schemas.map(({ name, schema }) => `\t"${name}": ${schema.title};`).join("\n");
	return `${HEADER}${parts.join("\n")}\n/** What is recorded in the log, by CloudEvents type. */\nexport interface RecordTypes {\n${map}\n}\n\n/** Every contract, by name. */\nexport interface Contracts {\n${names}\n}\n`;
};

/** Ajv's count of characters, replaced by ours. */
const OUR_LENGTH = {
	name: "text-length",
	setup: (builder) => {
		builder.onResolve({ filter: /^ajv\/dist\/runtime\/ucs2length$/ }, () => ({ path: "text-length", namespace: "ours" }));
		builder.onLoad({ filter: /.*/, namespace: "ours" }, () => ({
			contents: 'export { textLength as default } from "./contracts/text-length.ts";',
			resolveDir: root,
		}));
	},
};

const validatorsOf = async (schemas) => {
	const ajv = new Ajv2020.default({
		code: { source: true, esm: true, lines: false },
		allErrors: false,
		strict: true,
		allowUnionTypes: true,
		messages: true,
		ownProperties: true,
	});
	const exportsById = {};
	for (const { name, schema } of schemas) {
		ajv.addSchema(schema);
		exportsById[name.replace(/[.-](\w)/g, (_, letter) => letter.toUpperCase())] = schema.$id;
	}
	const source = standaloneCode.default(ajv, exportsById);
	// Ajv's ESM output still calls require() for its runtime; bundling makes the file stand alone.
	const bundled = await build({
		stdin: { contents: source, resolveDir: root, loader: "js" },
		plugins: [OUR_LENGTH],
		bundle: true,
		format: "esm",
		platform: "neutral",
		mainFields: ["main"],
		write: false,
		legalComments: "none",
		minify: true,
	});
	return `${HEADER}${bundled.outputFiles[0].text}`;
};

const indexOf = (schemas) => {
	const camel = (name) => name.replace(/[.-](\w)/g, (_, letter) => letter.toUpperCase());
	const names = schemas.map(({ name }) => camel(name));
	const declarations = `${HEADER}import type { ValidateFunction } from "./validate-function.ts";\n${names.map((name) => `export const ${name}: ValidateFunction;`).join("\n")}\n`;
	const table = schemas.map(({ name }) => `\t"${name}": validators.${camel(name)},`).join("\n");
	const enveloped = schemas
		.filter(({ name }) => isRecord(name) || LIVE_FAMILIES.includes(name))
		.map(({ name }) => `\t"${name}",`)
		.join("\n");
	const known = schemas.map(({ name, schema }) => `\t"${name}": ${JSON.stringify(Object.keys(schema.properties ?? {}))},`).join("\n");
	const index = `${HEADER}import type { Contracts } from "./types.ts";\nimport type { ValidateFunction } from "./validate-function.ts";\nimport * as validators from "./validators.js";\n\nexport const VALIDATORS: Readonly<Record<keyof Contracts, ValidateFunction>> = {\n${table}\n};\n\n/** Contracts of what travels in an envelope: records and the pulse. The others are files, signed payloads and what core tells a node. */\nexport const ENVELOPED: readonly (keyof Contracts)[] = [\n${enveloped}\n];\n\n/** Top-level fields that each contract names; others are kept and reported once. */\nexport const KNOWN_FIELDS: Readonly<Record<keyof Contracts, readonly string[]>> = {\n${known}\n};\n`;
	return { declarations, index };
};

const VALIDATE_FUNCTION = `${HEADER}/** A standalone validator: true, or false with the first error. */
export interface ValidateFunction {
	(data: unknown): boolean;
	errors?: readonly { readonly instancePath: string; readonly keyword: string; readonly propertyName?: string; readonly message?: string; readonly params: Readonly<Record<string, unknown>> }[] | null;
}
`;

/** File name -> text, for everything below contracts/gen. */
export const generate = async () => {
	const schemas = readSchemas();
	const { declarations, index } = indexOf(schemas);
	return {
		"types.ts": await typesOf(schemas),
		"validators.js": await validatorsOf(schemas),
		"validators.d.ts": declarations,
		"validate-function.ts": VALIDATE_FUNCTION,
		"validate.ts": index,
	};
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const files = await generate();
	mkdirSync(join(root, "contracts/gen"), { recursive: true });
	for (const [file, text] of Object.entries(files)) writeFileSync(join(root, "contracts/gen", file), text);
	process.stdout.write(`contracts/gen: ${Object.keys(files).length} files from ${readSchemas().length} schemas\n`);
}
