// Connects an installation to this machine, or to a tree that will be one: its files under a root, its users and units only where the root is its own.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, realpath, rename, rm, rmdir, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import type { Machine } from "../install/carry-out.ts";
import { builtInFolder } from "./config.ts";
import { readText, writeKept } from "./kept-files.ts";

const CALL_WITHIN_MS = 120_000;

const call = (program: string, args: readonly string[]): Promise<void> =>
	new Promise((done, reject) => {
		execFile(program, args, { timeout: CALL_WITHIN_MS, env: { ...process.env, LC_ALL: "C" } }, (error, _stdout, stderr) => {
			if (error === null) done();
			else reject(new OrionError("INSTALL_REFUSED", { detail: `${program} ${args.join(" ")}: ${stderr.trim() || error.message}` }, { cause: error }));
		});
	});

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** The folder of this package, and the program that runs it: what units name. */
export const packageHome = (): Promise<string> => realpath(join(builtInFolder(), ".."));
export const nodeProgram = (): Promise<string> => realpath(process.execPath);

const shipped = async (part: string, name: string): Promise<string> => {
	const folder = join(await packageHome(), "deploy", part);
	const text = await readText(join(folder, name));
	if (text === undefined) throw new OrionError("INSTALL_REFUSED", { detail: `this package has no ${name} in ${folder}` });
	return text;
};

/** Text of each unit as it is shipped. Rejects with INSTALL_REFUSED if one is missing. */
export const shippedUnits = async (names: readonly string[]): Promise<Readonly<Record<string, string>>> => {
	const units: Record<string, string> = {};
	for (const name of names) units[name] = await shipped("systemd", name);
	return units;
};

/** The rule for polkit as it is shipped. Rejects with INSTALL_REFUSED if it is missing. */
export const shippedRule = (): Promise<string> => shipped("polkit", "orion-node.rules");

/** The whole of it appears at once, also where an older one runs. */
const buildGuard = async (path: string): Promise<void> => {
	const beside = `${path}.new`;
	await mkdir(dirname(path), { recursive: true });
	await call(process.execPath, [join(await packageHome(), "build/guard.mjs"), beside]);
	await chmod(beside, 0o755);
	await rename(beside, path);
};

const userExists = async (name: string): Promise<boolean> => ((await readText("/etc/passwd")) ?? "").split("\n").some((line) => line.startsWith(`${name}:`));

export const hostMachine = (root: string): Machine => {
	const at = (path: string): string => join(resolve(root), path);
	return {
		read: (path) => readText(at(path)),
		exists: (path) => Promise.resolve(existsSync(at(path))),
		write: async (path, text, mode) => {
			await mkdir(dirname(at(path)), { recursive: true });
			await writeKept(dirname(at(path)), basename(path), text, mode);
		},
		makeFolder: async (path, mode) => {
			if (existsSync(at(path))) return;
			await mkdir(at(path), { recursive: true });
			// Whoever installs may have a mask of his own.
			await chmod(at(path), mode);
		},
		removeFile: async (path) => {
			await unlink(at(path)).catch((error: unknown) => {
				if (codeOf(error) !== "ENOENT") throw error;
			});
		},
		removeEmptyFolder: async (path) => {
			try {
				await rmdir(at(path));
				return true;
			} catch (error) {
				if (codeOf(error) === "ENOENT") return true;
				if (codeOf(error) === "ENOTEMPTY") return false;
				throw error;
			}
		},
		removeTree: (path) => rm(at(path), { recursive: true, force: true }),
		buildGuard: (path) => buildGuard(at(path)),
		...(resolve(root) === "/" ? { running: { userExists, run: call } } : {}),
	};
};
