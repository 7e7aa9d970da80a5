// Reads the project's own sources for the tests of its shape: which files there are, what they import, and their code without comments and texts.
import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, posix } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

/** Not ours, or made by a command from what is ours. */
const LEFT_OUT: readonly string[] = [".cache", ".git", "dist", "node_modules", "contracts/gen"];

export interface Source {
	/** From the project's root, with forward slashes. */
	readonly path: string;
	readonly text: string;
}

const below = (root: string, folder: string, endings: readonly string[]): readonly string[] =>
	readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
		const path = posix.join(folder, entry.name);
		if (LEFT_OUT.includes(path) || entry.name === "node_modules") return [];
		if (entry.isDirectory()) return below(root, path, endings);
		return entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)) ? [path] : [];
	});

/** Every file of the project that ends so, with its text. */
export const readSources = (endings: readonly string[], root: string = ROOT): readonly Source[] =>
	below(root, "", endings)
		.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))
		.sort((one, other) => (one.path < other.path ? -1 : 1));

const COMMENT_LINES = /^\s*(?:\/\/|\/?\*).*$/gm;
const COMMENT_AFTER_CODE = /(?<=[;,{}()\]\w"'`]\s+)\/\/ .*$/gm;
const COMMENT_IN_LINE = /\/\*.*?\*\//g;
const TEXTS = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g;

/** The code alone: comments blanked, line for line. */
export const withoutComments = (text: string): string => text.replace(COMMENT_LINES, "").replace(COMMENT_AFTER_CODE, "").replace(COMMENT_IN_LINE, "");

/** Comments blanked and quoted texts emptied; texts with back quotes stay, because there is code in them. */
export const bareCode = (text: string): string => withoutComments(text).replace(TEXTS, '""');

/** What a file imports: the module it names, or undefined where the name is only known when it runs. */
export const importsOf = (text: string): readonly (string | undefined)[] => {
	const code = withoutComments(text);
	const named = [/(?:^|[\s;}])(?:import|export)\b(?!\s*\()[^"'`;]*?\bfrom\s*["']([^"'\n]+)["']/g, /(?:^|[\s;}])import\s*["']([^"'\n]+)["']/g];
	const found: (string | undefined)[] = named.flatMap((form) => [...code.matchAll(form)].map((match) => match[1]));
	for (const match of code.matchAll(/\b(?:import|require)\s*\(\s*(?:["']([^"'\n]+)["']\s*[,)]|`([^`$]+)`\s*[,)])?/g)) found.push(match[1] ?? match[2]);
	return found;
};

export type Target =
	| { readonly kind: "file"; readonly path: string }
	| { readonly kind: "package"; readonly name: string }
	| { readonly kind: "node"; readonly name: string };

/** What an import leads to: a file from the root, a package by its name, or a module of Node. */
export const targetOf = (from: string, specifier: string): Target => {
	if (specifier.startsWith(".")) return { kind: "file", path: posix.join(dirname(from), specifier) };
	if (isBuiltin(specifier)) return { kind: "node", name: specifier };
	const [scope = "", name = ""] = specifier.split("/");
	return { kind: "package", name: specifier.startsWith("@") ? `${scope}/${name}` : scope };
};
