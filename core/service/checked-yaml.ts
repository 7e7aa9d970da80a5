// Connects a YAML text to a contract: what is wrong is said with file, line and column, and what was expected there.
import { type Document, isMap, isNode, LineCounter, type Node, parseDocument } from "yaml";
import { checkContract } from "../../contracts/envelope.ts";
import { type ErrorCode, fail } from "../../contracts/errors.ts";
import type { Contracts } from "../../contracts/gen/types.ts";
import { ok, type Result } from "../../contracts/result.ts";

/** A checked file: its value, and where each part of it stands. */
export interface Checked<T> {
	readonly value: T;
	/** "file:line" of the part at this path. */
	at(path: readonly (string | number)[]): string;
	/** A fault that names the place of the part at this path. */
	wrong(path: readonly (string | number)[], detail: string): { readonly ok: false; readonly fault: ReturnType<typeof fail>["fault"] };
}

type Path = readonly (string | number)[];

const pathOf = (pointer: string): Path =>
	pointer
		.split("/")
		.slice(1)
		.map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
		.map((part) => (/^\d+$/.test(part) ? Number(part) : part));

/** Offset of the deepest part of the path that exists; an unknown key is pointed at itself, not at its value. */
const offsetOf = (document: Document, path: Path): number => {
	const parent = document.getIn(path.slice(0, -1), true);
	if (isMap(parent)) {
		const pair = parent.items.find((item) => isNode(item.key) && String(item.key) === String(path.at(-1)));
		const key = pair?.key;
		if (isNode(key) && key.range) return key.range[0];
	}
	for (let length = path.length; length >= 0; length--) {
		const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
		if (isNode(node) && (node as Node).range) return (node as Node).range?.[0] ?? 0;
	}
	return 0;
};

/** Text -> checked value. Faults (with the given code): syntax, duplicate keys, contract; each with file, line, column, detail. */
export const checkYaml = <K extends keyof Contracts>(file: string, text: string, contract: K, code: ErrorCode): Result<Checked<Contracts[K]>> => {
	const lines = new LineCounter();
	const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, merge: false });
	const place = (offset: number): { line: number; column: number } => {
		const { line, col } = lines.linePos(offset);
		return { line: Math.max(line, 1), column: Math.max(col, 1) };
	};
	const problem = document.errors[0] ?? document.warnings[0];
	if (problem !== undefined) {
		const [firstLine] = problem.message.split("\n");
		return fail(code, { file, ...place(problem.pos[0]), detail: (firstLine ?? "unreadable").replace(/ at line \d+, column \d+:?$/, "") });
	}
	// An empty file is an empty table: a configuration may well say nothing.
	const wrong = (path: Path, detail: string) => fail(code, { file, ...place(offsetOf(document, path)), detail });
	let value: unknown;
	try {
		value = document.toJS({ maxAliasCount: 50 }) ?? {};
	} catch (error) {
		// An alias without its anchor, or aliases of aliases that would not end.
		return wrong([], error instanceof Error ? error.message : "unreadable");
	}
	const checked = checkContract(contract, value);
	if (!checked.ok) {
		const pointer = String(checked.fault.facts["pointer"] ?? "");
		return wrong(pathOf(pointer), `${pointer === "" ? "the file" : pointer}: ${String(checked.fault.facts["detail"])}`);
	}
	return ok({ value: checked.value, at: (path) => `${file}:${place(offsetOf(document, path)).line}`, wrong });
};
