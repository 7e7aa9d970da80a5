// Decides what of a JSON answer is promised: its fields and their kinds, not the values of one day.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";

/** `ORION_GOLDEN=update` writes what is instead of comparing; the diff is what reviewers read. */
export const expectGolden = (name: string, text: string): void => {
	const file = join(import.meta.dirname, "golden", name);
	if (process.env["ORION_GOLDEN"] === "update") writeFileSync(file, text);
	expect(text, `test/cli/golden/${name}; after an intended change: ORION_GOLDEN=update npx vitest run --project unit test/cli`).toBe(
		existsSync(file) ? readFileSync(file, "utf8") : "(there is no such file)",
	);
};

const kindsOf = (value: unknown): readonly string[] => {
	if (value === null) return [": null"];
	if (Array.isArray(value)) {
		const lines = new Set(value.flatMap((each) => kindsOf(each)));
		return lines.size === 0 ? ["[]: empty"] : [...lines].map((line) => `[]${line}`);
	}
	if (typeof value === "object") return Object.entries(value).flatMap(([name, inner]) => kindsOf(inner).map((line) => `.${name}${line}`));
	return [`: ${typeof value}`];
};

/** One line a field, sorted; the schema's name with its value. */
export const shapeOf = (value: { readonly schema?: string }): string =>
	`${[...new Set(kindsOf(value))]
		.map((line) => (line === ".schema: string" ? `.schema: "${value.schema}"` : line))
		.sort()
		.join("\n")}\n`;
