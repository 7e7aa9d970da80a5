// Connects a plan to a machine, so that it may be interrupted anywhere: each thing stands in the manifest before it is made, and only what stands there is taken back.
import { sha256Hex } from "../../contracts/digest.ts";
import { OrionError } from "../../contracts/errors.ts";
import { type Made, type Manifest, manifestPath, nameOf, readManifest, withMade } from "./manifest.ts";
import { type Role, SETTINGS, type Step, stateFolders } from "./plan.ts";

/** Paths are those of the machine itself, also where it lies under another root. */
export interface Machine {
	/** undefined: there is no such file. */
	read(path: string): Promise<string | undefined>;
	exists(path: string): Promise<boolean>;
	/** Whole or not at all, and on disk when it resolves. */
	write(path: string, text: string, mode: number): Promise<void>;
	makeFolder(path: string, mode: number): Promise<void>;
	/** What is not there counts as removed. */
	removeFile(path: string): Promise<void>;
	/** False: there is still something in it. */
	removeEmptyFolder(path: string): Promise<boolean>;
	removeTree(path: string): Promise<void>;
	buildGuard(path: string): Promise<void>;
	/** Absent: it does not run (it lies under another root), so nothing is enabled and no user is made. */
	readonly running?: {
		userExists(name: string): Promise<boolean>;
		run(program: string, args: readonly string[]): Promise<void>;
	};
}

/** made: now; same: it was so; kept: a person changed it; removed: taken back; left: not ours to take, or not asked for. */
export type Outcome = "made" | "same" | "kept" | "removed" | "left";
export type Told = (outcome: Outcome, what: string, why?: string) => void;

const textOf = (manifest: Manifest): string => `${JSON.stringify(manifest, null, "\t")}\n`;

export const installedRole = async (machine: Machine, role: Role): Promise<Manifest | undefined> => {
	const file = manifestPath(role);
	const text = await machine.read(file);
	if (text === undefined) return undefined;
	const read = readManifest(file, text);
	if (!read.ok) throw new OrionError(read.fault.code, read.fault.facts);
	return read.value;
};

const keep = (machine: Machine, manifest: Manifest): Promise<void> => machine.write(manifestPath(manifest.role), textOf(manifest), 0o600);

const has = (manifest: Manifest | undefined, kind: Made["kind"], name: string): boolean =>
	manifest?.made.some((made) => made.kind === kind && nameOf(made) === name) === true;

/** What stands where something of ours would go, and is not ours: it would be lost, so nothing begins. */
export const foreignFiles = async (machine: Machine, manifest: Manifest | undefined, steps: readonly Step[]): Promise<readonly string[]> => {
	const found: string[] = [];
	for (const step of steps)
		if ((step.kind === "file" || step.kind === "guard") && !has(manifest, step.kind, step.path) && (await machine.exists(step.path))) found.push(step.path);
	return found;
};

class Installing {
	readonly #machine: Machine;
	readonly #tell: Told;
	#manifest: Manifest;

	constructor(machine: Machine, manifest: Manifest, tell: Told) {
		this.#machine = machine;
		this.#manifest = manifest;
		this.#tell = tell;
	}

	async carryOut(step: Step): Promise<void> {
		const machine = this.#machine;
		const { running } = machine;
		switch (step.kind) {
			case "user":
				if (running === undefined) return this.#tell("left", `user ${step.name}`, "not this machine's own root");
				if (await running.userExists(step.name)) return this.#tell("same", `user ${step.name}`);
				await this.#note({ kind: "user", name: step.name });
				await running.run("useradd", ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", step.name]);
				return this.#tell("made", `user ${step.name}`);
			case "folder":
				if (await machine.exists(step.path)) return this.#tell("same", step.path);
				await this.#note({ kind: "folder", path: step.path });
				await machine.makeFolder(step.path, step.mode);
				return this.#tell("made", step.path);
			case "file":
				return this.#file(step);
			case "guard":
				await this.#note({ kind: "guard", path: step.path });
				await machine.buildGuard(step.path);
				return this.#tell("made", step.path);
			case "reload":
				return running?.run("systemctl", ["daemon-reload"]);
			case "unit":
				if (running === undefined) return this.#tell("left", `unit ${step.name}`, "not enabled: not this machine's own root");
				await this.#note({ kind: "unit", name: step.name });
				await running.run("systemctl", ["enable", "--now", "--no-block", step.name]);
				return this.#tell("made", `unit ${step.name}`);
		}
	}

	async #file({ path, text, mode }: Extract<Step, { kind: "file" }>): Promise<void> {
		const before = await this.#machine.read(path);
		if (before === text) return this.#tell("same", path);
		const entry = this.#manifest.made.find((made) => made.kind === "file" && made.path === path);
		const isChanged = before !== undefined && entry?.kind === "file" && !entry.sha256.includes(sha256Hex(before));
		if (isChanged) return this.#tell("kept", path, "somebody changed it");
		await this.#note({ kind: "file", path, sha256: [sha256Hex(text)] });
		await this.#machine.write(path, text, mode);
		this.#tell("made", path);
	}

	/** On disk before it is so. */
	async #note(made: Made): Promise<void> {
		this.#manifest = withMade(this.#manifest, made);
		await keep(this.#machine, this.#manifest);
	}

	async finish(): Promise<Manifest> {
		this.#manifest = { ...this.#manifest, complete: true };
		await keep(this.#machine, this.#manifest);
		return this.#manifest;
	}
}

/** Goes on where an earlier one was interrupted, and changes what a newer version has otherwise. Faults: INSTALL_REFUSED, CONFIG_INVALID. */
export const install = async (machine: Machine, role: Role, version: string, steps: readonly Step[], tell: Told): Promise<Manifest> => {
	const before = await installedRole(machine, role);
	const foreign = await foreignFiles(machine, before, steps);
	if (foreign.length > 0)
		throw new OrionError("INSTALL_REFUSED", { detail: `${foreign.join(" and ")} would be overwritten and is not ours. Move it away first` });
	await machine.makeFolder(SETTINGS, 0o755);
	const manifest: Manifest = { ...(before ?? { schema: "orion.installed/1", role, made: [] }), version, complete: false };
	await keep(machine, manifest);
	const installing = new Installing(machine, manifest, tell);
	for (const step of steps) await installing.carryOut(step);
	return installing.finish();
};

const takeBack = async (machine: Machine, made: Made, tell: Told): Promise<void> => {
	const { running } = machine;
	switch (made.kind) {
		case "unit":
			// Its file may be gone, or was never written: then there is nothing to disable.
			await running?.run("systemctl", ["disable", "--now", made.name]).catch((error: unknown) => {
				if (!/not exist|not found|No such file/.test(String(error))) throw error;
			});
			return tell("removed", `unit ${made.name}`);
		case "file": {
			const text = await machine.read(made.path);
			if (text !== undefined && !made.sha256.includes(sha256Hex(text))) return tell("left", made.path, "somebody changed it");
			await machine.removeFile(made.path);
			return tell("removed", made.path);
		}
		case "guard":
			await machine.removeFile(made.path);
			return tell("removed", made.path);
		case "folder":
			return (await machine.removeEmptyFolder(made.path)) ? tell("removed", made.path) : tell("left", made.path, "there is still something in it");
		case "user":
			if (running !== undefined && (await running.userExists(made.name))) await running.run("userdel", [made.name]);
			return tell("removed", `user ${made.name}`);
	}
};

/** Takes back what the manifest says, newest first, and the manifest last. What the role kept stays unless `purge`. */
export const uninstall = async (machine: Machine, role: Role, purge: boolean, tell: Told): Promise<boolean> => {
	const manifest = await installedRole(machine, role);
	if (manifest === undefined) return false;
	const order: readonly Made["kind"][] = ["unit", "file", "guard", "folder", "user"];
	for (const kind of order) {
		for (const made of manifest.made.filter((each) => each.kind === kind).reverse()) await takeBack(machine, made, tell);
		// Before their users go: whatever still ran of them is known to systemd no more.
		if (kind === "file") await machine.running?.run("systemctl", ["daemon-reload"]);
	}
	for (const folder of stateFolders(role)) {
		if (!(await machine.exists(folder))) continue;
		if (purge) await machine.removeTree(folder);
		tell(purge ? "removed" : "left", folder, purge ? undefined : "what the mesh keeps; --purge removes it");
	}
	await machine.removeFile(manifestPath(role));
	await machine.removeEmptyFolder(SETTINGS);
	return true;
};
