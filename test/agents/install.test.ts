// Shows that an installation may be interrupted at every step and then repeated or taken back, that exactly what was made is taken back, and why it is refused (RUN-47, RUN-48, HARM-117).
import { describe, expect, test } from "vitest";
import { install, type Machine, uninstall } from "../../agents/install/carry-out.ts";
import { type Manifest, manifestPath, readManifest } from "../../agents/install/manifest.ts";
import { planOf, ROLES, type Role, type Step, type Wanted } from "../../agents/install/plan.ts";
import { type Ground, isCard, refusals } from "../../agents/install/refusals.ts";
import { shippedRule, shippedUnits } from "../../agents/roles/host-machine.ts";

const UNITS = await shippedUnits(["redis", "core", "broker", "agent", "guard", "actuator", "robot"].map((name) => `orion-${name}.service`));

const wanted = (role: Role, more: Partial<Wanted> = {}): Wanted => ({
	role,
	node: "/usr/bin/node",
	home: "/usr/lib/node_modules/orion-mesh",
	units: UNITS,
	args: [],
	redis: role === "core" ? { kind: "own", program: "/usr/bin/redis-server", password: "0123" } : { kind: "none" },
	model: "fnk0052",
	...more,
});

class Crash extends Error {}

/** A machine in memory that may lose its power before or after any change. */
class TestMachine implements Machine {
	readonly files = new Map<string, string>([["/etc/hosts", "localhost"]]);
	readonly modes = new Map<string, number>();
	readonly folders = new Set(["/etc", "/etc/systemd/system", "/usr/local/lib", "/var/lib"]);
	readonly users = new Set(["root"]);
	readonly enabled = new Set<string>();
	changes = 0;
	crashAt: { readonly change: number; readonly when: "before" | "after" } | undefined;

	async #change(effect: () => void): Promise<void> {
		this.changes += 1;
		const { change, when } = this.crashAt ?? {};
		if (change === this.changes && when === "before") throw new Crash();
		effect();
		if (change === this.changes && when === "after") throw new Crash();
	}
	async read(path: string) {
		return this.files.get(path);
	}
	async exists(path: string) {
		return this.files.has(path) || this.folders.has(path);
	}
	write(path: string, text: string, mode: number) {
		return this.#change(() => {
			this.files.set(path, text);
			this.modes.set(path, mode);
		});
	}
	async makeFolder(path: string) {
		if (!this.folders.has(path)) await this.#change(() => this.folders.add(path));
	}
	removeFile(path: string) {
		return this.#change(() => this.files.delete(path));
	}
	async removeEmptyFolder(path: string) {
		if ([...this.files.keys(), ...this.folders].some((other) => other.startsWith(`${path}/`))) return false;
		await this.#change(() => this.folders.delete(path));
		return true;
	}
	removeTree(path: string) {
		return this.#change(() => {
			for (const all of [this.files, this.folders]) for (const each of [...all.keys()]) if (each === path || each.startsWith(`${path}/`)) all.delete(each);
		});
	}
	buildGuard(path: string) {
		return this.#change(() => this.files.set(path, "program"));
	}
	readonly running = {
		userExists: async (name: string) => this.users.has(name),
		run: (program: string, args: readonly string[]) =>
			this.#change(() => {
				const last = args.at(-1) ?? "";
				const verb = program === "systemctl" ? args[0] : program;
				if (verb === "useradd") this.users.add(last);
				else if (verb === "userdel") {
					if (!this.users.delete(last)) throw new Error(`no user ${last}`);
				} else if (verb === "enable" || verb === "disable") {
					if (!this.files.has(`/etc/systemd/system/${last}`)) throw new Error(`Unit file ${last} does not exist.`);
					if (verb === "enable") this.enabled.add(last);
					else this.enabled.delete(last);
				} else if (verb !== "daemon-reload") throw new Error(`not a command of this machine: ${program} ${args.join(" ")}`);
			}),
	};

	/** Everything but manifests. */
	facts(): unknown {
		const files = [...this.files].filter(([path]) => !path.includes("/installed-"));
		return { files: files.sort(), folders: [...this.folders].sort(), users: [...this.users].sort(), enabled: [...this.enabled].sort() };
	}
}

const quiet = (): void => undefined;
const put = (machine: Machine, role: Role, steps: readonly Step[] = planOf(wanted(role))): Promise<Manifest> => install(machine, role, "0.1.0", steps, quiet);

/** Runs until the power goes, or to the end: then true. */
const untilCrash = async (work: () => Promise<unknown>): Promise<boolean> => {
	try {
		await work();
		return true;
	} catch (error) {
		if (error instanceof Crash) return false;
		throw error;
	}
};

const MACHINES: readonly (readonly [string, Role, Partial<Wanted>])[] = [
	...ROLES.map((role) => [role, role, {}] as const),
	["agent that looks after units", "agent", { looksAfter: { units: ["jellyfin.service"], rule: await shippedRule() } }],
];

describe.each(MACHINES)("RUN-47 %s", (_name, role, more) => {
	const steps = planOf(wanted(role, more));

	test("installed and taken back, the machine is as it was; installed twice, nothing changes", async () => {
		const machine = new TestMachine();
		const before = machine.facts();
		const manifest = await put(machine, role, steps);
		expect(manifest.complete).toBe(true);
		expect(machine.users).toContain(`orion-${role}`);
		expect([...machine.enabled].length).toBe(role === "robot" ? 3 : role === "core" ? 2 : 1);
		const after = machine.facts();
		const again = await put(machine, role, steps);
		expect([machine.facts(), again]).toEqual([after, manifest]);
		expect(await uninstall(machine, role, false, quiet)).toBe(true);
		expect([machine.facts(), machine.files.has(manifestPath(role))]).toEqual([before, false]);
		expect(await uninstall(machine, role, false, quiet)).toBe(false);
	});

	test("the power goes before and after every change: repeated it is whole, taken back it is as before", async () => {
		const whole = new TestMachine();
		const before = whole.facts();
		await put(whole, role, steps);
		expect(whole.changes).toBeGreaterThan(8);
		for (let change = 1; change <= whole.changes; change += 1)
			for (const when of ["before", "after"] as const) {
				const crashed = async (): Promise<TestMachine> => {
					const machine = new TestMachine();
					machine.crashAt = { change, when };
					expect(await untilCrash(() => put(machine, role, steps))).toBe(false);
					machine.crashAt = undefined;
					return machine;
				};
				const repeated = await crashed();
				const manifest = await put(repeated, role, steps);
				expect({ change, when, facts: repeated.facts(), complete: manifest.complete }).toEqual({ change, when, facts: whole.facts(), complete: true });
				await uninstall(repeated, role, false, quiet);
				expect({ change, when, facts: repeated.facts() }).toEqual({ change, when, facts: before });
				const undone = await crashed();
				const wasBegun = await uninstall(undone, role, false, quiet);
				// Before the first line of the manifest there is at most an empty folder of ours.
				if (!wasBegun) undone.folders.delete("/etc/orion");
				expect({ change, when, facts: undone.facts() }).toEqual({ change, when, facts: before });
			}
	});

	test("the power goes before and after every change while it is taken back: repeated, it is as before", async () => {
		const machine = new TestMachine();
		const before = machine.facts();
		await put(machine, role, steps);
		const installed = machine.changes;
		await uninstall(machine, role, false, quiet);
		for (let change = installed + 1; change <= machine.changes; change += 1)
			for (const when of ["before", "after"] as const) {
				const interrupted = new TestMachine();
				await put(interrupted, role, steps);
				interrupted.crashAt = { change, when };
				expect(await untilCrash(() => uninstall(interrupted, role, false, quiet))).toBe(false);
				interrupted.crashAt = undefined;
				const isThere = await uninstall(interrupted, role, false, quiet);
				if (!isThere) interrupted.folders.delete("/etc/orion");
				expect({ change, when, facts: interrupted.facts() }).toEqual({ change, when, facts: before });
			}
	});
});

describe("RUN-48 what is not ours", () => {
	test("a file that stands where ours would go: refused, and nothing is touched", async () => {
		const machine = new TestMachine();
		machine.files.set("/etc/systemd/system/orion-core.service", "of somebody");
		const before = machine.facts();
		await expect(put(machine, "core")).rejects.toMatchObject({
			fault: { code: "INSTALL_REFUSED", facts: { detail: expect.stringContaining("orion-core.service") } },
		});
		expect([machine.facts(), machine.changes]).toEqual([before, 0]);
	});

	test("a user that was there stays", async () => {
		const machine = new TestMachine();
		machine.users.add("orion-agent");
		await put(machine, "agent");
		await uninstall(machine, "agent", true, quiet);
		expect(machine.users).toContain("orion-agent");
	});

	test("what a person changed is neither overwritten nor removed; a newer version replaces what is ours", async () => {
		const machine = new TestMachine();
		await put(machine, "core");
		machine.files.set("/etc/orion/core.env", "ORION_ARGS=--level N2\n");
		const newer = planOf(wanted("core", { home: "/opt/newer" }));
		await put(machine, "core", newer);
		expect(machine.files.get("/etc/orion/core.env")).toBe("ORION_ARGS=--level N2\n");
		expect(machine.files.get("/etc/systemd/system/orion-core.service")).toContain("/opt/newer/bin/orion.mjs core");
		await uninstall(machine, "core", false, quiet);
		expect([...machine.files.keys()].sort()).toEqual(["/etc/hosts", "/etc/orion/core.env"]);
	});

	test("a newer version that was interrupted between two files: what it wrote and what it did not write are both ours", async () => {
		const newer = planOf(wanted("core", { home: "/opt/newer" }));
		const whole = new TestMachine();
		const before = whole.facts();
		await put(whole, "core");
		const installed = whole.changes;
		await put(whole, "core", newer);
		for (let change = installed + 1; change <= whole.changes; change += 1) {
			const machine = new TestMachine();
			await put(machine, "core");
			machine.crashAt = { change, when: "before" };
			expect(await untilCrash(() => put(machine, "core", newer))).toBe(false);
			machine.crashAt = undefined;
			await put(machine, "core", newer);
			expect(machine.facts()).toEqual(whole.facts());
			await uninstall(machine, "core", false, quiet);
			expect(machine.facts()).toEqual(before);
		}
	});

	test("what the mesh keeps stays, unless it is asked for; another role beside it stays too", async () => {
		const machine = new TestMachine();
		await put(machine, "core");
		await put(machine, "agent");
		const withAgentOnly = new TestMachine();
		await put(withAgentOnly, "agent");
		for (const each of [machine, withAgentOnly]) each.folders.add("/var/lib/orion-core");
		machine.files.set("/var/lib/orion-core/log", "records");
		await uninstall(machine, "core", false, quiet);
		expect(machine.files.get("/var/lib/orion-core/log")).toBe("records");
		machine.files.delete("/var/lib/orion-core/log");
		expect(machine.facts()).toEqual(withAgentOnly.facts());
		await put(machine, "core");
		machine.files.set("/var/lib/orion-core/log", "records");
		await uninstall(machine, "core", true, quiet);
		expect(machine.files.has("/var/lib/orion-core/log")).toBe(false);
	});

	const good: Manifest = {
		schema: "orion.installed/1",
		role: "core",
		version: "0.1.0",
		complete: false,
		made: [
			{ kind: "user", name: "orion-core" },
			{ kind: "unit", name: "orion-core.service" },
			{ kind: "folder", path: "/usr/local/lib/orion" },
			{ kind: "guard", path: "/usr/local/lib/orion/linux-guard" },
			{ kind: "file", path: "/etc/orion/core.env", sha256: ["0".repeat(64)] },
		],
	};
	test("a manifest is read", () => {
		expect(readManifest("m", JSON.stringify(good))).toEqual({ ok: true, value: good });
	});
	test.each([
		["no JSON", "{"],
		["null", "null"],
		["a later format", JSON.stringify({ ...good, schema: "orion.installed/2" })],
		["another role", JSON.stringify({ ...good, role: "king" })],
		["no version", JSON.stringify({ ...good, version: undefined })],
		["no end", JSON.stringify({ ...good, complete: "yes" })],
		["no list", JSON.stringify({ ...good, made: {} })],
		["a user of somebody", JSON.stringify({ ...good, made: [{ kind: "user", name: "root" }] })],
		["a path that climbs", JSON.stringify({ ...good, made: [{ kind: "file", path: "/etc/../../x", sha256: [] }] })],
		["a path from here", JSON.stringify({ ...good, made: [{ kind: "folder", path: "etc" }] })],
		["a hash that is none", JSON.stringify({ ...good, made: [{ kind: "file", path: "/x", sha256: ["1"] }] })],
		["a kind that is none", JSON.stringify({ ...good, made: [{ kind: "disk", path: "/dev/sda" }] })],
	])("a manifest with %s takes nothing back", (_what, text) => {
		expect(readManifest("m", text)).toMatchObject({ ok: false, fault: { code: "CONFIG_INVALID" } });
	});
});

describe("HARM-117 refusals", () => {
	const ground: Ground = {
		role: "robot",
		isRunning: true,
		isRoot: true,
		hasSystemd: true,
		node: "/usr/bin/node",
		home: "/usr/lib/node_modules/orion-mesh",
		redis: "none",
		hasRedisServer: true,
		hasCompiler: true,
		looksAfter: [],
		hasPolkit: false,
		vendorListens: false,
		busHolders: [],
	};
	test("a machine on which nothing is in the way, and a guard that runs already", () => {
		expect(refusals(ground)).toEqual([]);
		expect(refusals({ ...ground, busHolders: [{ pid: 7, name: "linux-guard" }] })).toEqual([]);
	});
	test.each<readonly [string, Partial<Ground>, string]>([
		["the vendor's server listens", { vendorListens: true }, "5002"],
		["another process has the bus", { busHolders: [{ pid: 77, name: "python3" }] }, "process 77 (python3)"],
		["no compiler", { hasCompiler: false }, "apt-get install gcc"],
		["not root", { isRoot: false }, "sudo"],
		["no systemd", { hasSystemd: false }, "systemd does not run"],
		["Node in a home", { node: "/home/pi/.nvm/node" }, "/home/pi/.nvm/node is in a home"],
		["the package in a home", { home: "/root/orion" }, "/root/orion is in a home"],
		["units to look after and no polkit", { looksAfter: ["jellyfin.service"] }, "jellyfin.service, and there is no polkit"],
		["no redis-server", { role: "core", redis: "own", hasRedisServer: false }, "--no-redis"],
	])("%s", (_what, more, says) => {
		expect(refusals({ ...ground, ...more }).join()).toContain(says);
	});
	test("what a core does not need does not stop it; a tree that is no machine needs no root", () => {
		expect(refusals({ ...ground, role: "core", redis: "none", hasRedisServer: false, hasCompiler: false, vendorListens: true })).toEqual([]);
		expect(refusals({ ...ground, isRunning: false, isRoot: false, hasSystemd: false, home: "/home/pi/orion", looksAfter: ["jellyfin.service"] })).toEqual([]);
		expect(refusals({ ...ground, looksAfter: ["jellyfin.service"], hasPolkit: true })).toEqual([]);
	});
	test.each([
		["/dev/mmcblk0p2", true],
		["mmcblk0", true],
		["/dev/sda1", false],
		["/dev/nvme0n1p2", false],
		["overlay", false],
	])("%s is a card: %s", (device, is) => {
		expect(isCard(device)).toBe(is);
	});
});
