// Decides what is known of an installed role: what was made, so that exactly that is taken back; written before each thing is made.
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { ROLES, type Role, SETTINGS } from "./plan.ts";

export type Made =
	| { readonly kind: "user" | "unit"; readonly name: string }
	| { readonly kind: "folder" | "guard"; readonly path: string }
	/** SHA-256 of each text that we wrote there or were about to write: anything else was changed by a person. */
	| { readonly kind: "file"; readonly path: string; readonly sha256: readonly string[] };

export interface Manifest {
	readonly schema: "orion.installed/1";
	readonly role: Role;
	/** Of the package that was installed. */
	readonly version: string;
	/** False: it was interrupted; install again, or uninstall. */
	readonly complete: boolean;
	readonly made: readonly Made[];
}

export const manifestPath = (role: Role): string => `${SETTINGS}/installed-${role}.json`;

export const nameOf = (made: Made): string => ("path" in made ? made.path : made.name);

/** With one more thing; of a file, with one more text that is ours. */
export const withMade = (manifest: Manifest, more: Made): Manifest => {
	const before = manifest.made.find((made) => made.kind === more.kind && nameOf(made) === nameOf(more));
	if (before === undefined) return { ...manifest, made: [...manifest.made, more] };
	if (before.kind !== "file" || more.kind !== "file") return manifest;
	const sha256 = [...new Set([...before.sha256, ...more.sha256])];
	return { ...manifest, made: manifest.made.map((made) => (made === before ? { ...before, sha256 } : made)) };
};

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
const isPath = (value: unknown): value is string => isText(value) && value.startsWith("/") && !value.split("/").includes("..");

const isMade = (value: unknown): value is Made => {
	const { kind, name, path, sha256 } = (value ?? {}) as Readonly<Record<string, unknown>>;
	if (kind === "user" || kind === "unit") return isText(name) && /^orion-[a-z.]+$/.test(name);
	if (kind === "folder" || kind === "guard") return isPath(path);
	return kind === "file" && isPath(path) && Array.isArray(sha256) && sha256.every((each) => isText(each) && /^[0-9a-f]{64}$/.test(each));
};

/** Fault: CONFIG_INVALID, also for one that a newer version wrote. */
export const readManifest = (file: string, text: string): Result<Manifest> => {
	const invalid = (detail: string) => fail("CONFIG_INVALID", { file, line: 1, column: 1, detail });
	let value: Readonly<Record<string, unknown>>;
	try {
		value = (JSON.parse(text) ?? {}) as typeof value;
	} catch {
		return invalid("is not the JSON that `orion install` wrote; restore it from a backup");
	}
	const { schema, role, version, complete, made } = value;
	if (schema !== "orion.installed/1") return invalid(`was written by another version (${String(schema)}); uninstall with that one`);
	const isKnown = ROLES.some((known) => known === role) && isText(version) && typeof complete === "boolean" && Array.isArray(made) && made.every(isMade);
	return isKnown ? ok(value as unknown as Manifest) : invalid("does not say what was made; restore it from a backup");
};
