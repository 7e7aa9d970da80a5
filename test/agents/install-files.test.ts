// Shows an installation on files: who may read them, what a dry run leaves, that taking it back leaves the tree as it was, and that the guard is built (RUN-47, RUN-51).
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { runInstall, runUninstall } from "../../agents/cli/install.ts";
import { Session } from "../../agents/cli/session.ts";
import { ROLES } from "../../agents/install/plan.ts";
import { type HostFacts, hostFacts } from "../../agents/roles/host-facts.ts";
import { expectGolden, shapeOf } from "../cli/shape.ts";
import { removeFolder } from "../support/remove-folder.ts";

const folders: string[] = [];
afterEach(() => {
	for (const folder of folders.splice(0)) removeFolder(folder);
});

describe("RUN-47 on files", () => {
	const shown = (root: string, folder = ""): readonly string[] =>
		readdirSync(join(root, folder), { withFileTypes: true })
			.flatMap((entry) => (entry.isDirectory() ? [`${folder}/${entry.name}/`, ...shown(root, `${folder}/${entry.name}`)] : [`${folder}/${entry.name}`]))
			.sort();
	const tree = (): string => {
		const root = mkdtempSync(join(tmpdir(), "orion-install-"));
		folders.push(root);
		for (const folder of ["etc/systemd/system", "usr/local/lib"]) mkdirSync(join(root, folder), { recursive: true });
		return root;
	};
	const run = async (work: (session: Session) => Promise<number>) => {
		let out = "";
		let err = "";
		const host = {
			out: (text: string) => (out += text),
			err: (text: string) => (err += text),
			outIsTty: false,
			errIsTty: false,
			inIsTty: false,
			columns: 80,
			env: {},
		};
		const more = { user: "lars", wallMs: () => 0, askLine: async () => "", interrupted: new AbortController().signal };
		const code = await work(new Session({ ...host, ...more }, { json: true }));
		return {
			code,
			err,
			answer: JSON.parse(out) as {
				readonly schema: string;
				readonly disk: { readonly isCard: boolean };
				readonly steps: readonly { readonly outcome: string; readonly what: string }[];
			},
		};
	};
	const facts = (more: Partial<HostFacts> = {}): HostFacts => ({
		...hostFacts(),
		listens: async () => false,
		holders: async () => [],
		program: (name) => `/usr/bin/${name}`,
		device: async () => "/dev/mmcblk0p2",
		...more,
	});

	test.each(ROLES)("%s: a dry run makes nothing, install makes it readable by whom it should, uninstall leaves the tree as it was", async (role) => {
		const root = tree();
		const before = shown(root);
		const options = {
			role,
			root,
			robotModel: "fnk0052",
			...(role === "broker" ? { core: "redis://broker-attic:x@core.lan", name: "attic", mesh: "mesh-1" } : {}),
		};
		const dry = await run((session) => runInstall(session, { ...options, dryRun: true }, facts()));
		expect([dry.code, shown(root)]).toEqual([0, before]);
		expect(dry.answer.steps.every(({ outcome }) => outcome === "would")).toBe(true);
		const made = await run((session) => runInstall(session, options, facts()));
		expect(made.code).toBe(0);
		expectGolden("install.shape.txt", shapeOf(made.answer));
		expect(made.err.includes("SD card")).toBe(role === "core" || role === "broker");
		for (const file of shown(root).filter((path) => /\.(env|conf|json)$/.test(path)))
			expect([file, statSync(join(root, file)).mode & 0o777]).toEqual([file, 0o600]);
		for (const file of shown(root).filter((path) => path.endsWith(".service"))) {
			expect([file, statSync(join(root, file)).mode & 0o777]).toEqual([file, 0o644]);
			expect(readFileSync(join(root, file), "utf8")).not.toMatch(/@[A-Z]+@/);
		}
		const whole = shown(root);
		const again = await run((session) => runInstall(session, options, facts()));
		expect([shown(root), again.answer.steps.filter(({ outcome }) => outcome === "kept")]).toEqual([whole, []]);
		const undone = await run((session) => runUninstall(session, { role, root }));
		expectGolden("uninstall.shape.txt", shapeOf(undone.answer));
		expect(shown(root)).toEqual(before);
		await expect(run((session) => runUninstall(session, { role, root }))).rejects.toMatchObject({ fault: { code: "NOT_FOUND" } });
	});

	test("RUN-51 its own Redis: loopback, a password of its own that a repetition keeps, nothing thrown away, and core is told of it", async () => {
		const root = tree();
		const options = { role: "core" as const, root, robotModel: "fnk0052" };
		await run((session) => runInstall(session, options, facts()));
		const conf = readFileSync(join(root, "etc/orion/redis.conf"), "utf8");
		expect(conf.split("\n")).toEqual(expect.arrayContaining(["bind 127.0.0.1", "appendonly yes", "maxmemory-policy noeviction"]));
		const password = conf.match(/^requirepass ([0-9a-f]{48})$/m)?.[1];
		expect(readFileSync(join(root, "etc/orion/core.env"), "utf8")).toContain(`ORION_REDIS=redis://:${password}@127.0.0.1:6390\n`);
		await run((session) => runInstall(session, options, facts()));
		expect(readFileSync(join(root, "etc/orion/redis.conf"), "utf8")).toBe(conf);
	});

	test("HARM-135 an agent that looks after units: polkit is told of exactly those, of others when they change, of none when they are gone, and of nothing once it is uninstalled", async () => {
		const root = tree();
		const before = shown(root);
		const options = { role: "agent" as const, root, robotModel: "fnk0052" };
		const rule = join(root, "etc/polkit-1/rules.d/60-orion-agent.rules");
		const configure = (systemd?: object): void => {
			mkdirSync(join(root, "var/lib/orion-agent"), { recursive: true });
			const coreKeys = [{ keyId: "e3b0c44298fc1c14", publicKey: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }];
			const config = {
				schema: "orion.node-config/1",
				mesh: "mesh-0193a7c25f10",
				node: "pi-3",
				url: "mqtt://127.0.0.1:1883",
				username: "pi-3",
				password: "x",
				coreKeys,
			};
			writeFileSync(join(root, "var/lib/orion-agent/node.json"), JSON.stringify({ ...config, ...(systemd === undefined ? {} : { systemd }) }));
		};
		// Before it has joined, and while it looks after nothing of the system's, there is nothing to tell.
		const first = await run((session) => runInstall(session, options, facts()));
		configure({ units: ["mine.service"], user: true });
		await run((session) => runInstall(session, options, facts()));
		expect([existsSync(rule), first.err.includes("may restart")]).toEqual([false, false]);
		configure({ units: ["jellyfin.service", "nginx.service"] });
		const dry = await run((session) => runInstall(session, { ...options, dryRun: true }, facts()));
		expect([existsSync(rule), dry.answer.steps.some(({ what }) => what.endsWith("60-orion-agent.rules"))]).toEqual([false, true]);
		const made = await run((session) => runInstall(session, options, facts()));
		expect(made.err).toContain("orion-agent may restart and stop jellyfin.service, nginx.service, and nothing else");
		expect([statSync(rule).mode & 0o777, readFileSync(rule, "utf8").includes('["jellyfin.service","nginx.service"]')]).toEqual([0o644, true]);
		configure({ units: ["nginx.service"] });
		await run((session) => runInstall(session, options, facts()));
		expect(readFileSync(rule, "utf8")).toContain('["nginx.service"]');
		configure();
		const none = await run((session) => runInstall(session, options, facts()));
		expect([readFileSync(rule, "utf8").includes("var units = [];"), none.err.includes("no unit any more")]).toEqual([true, true]);
		writeFileSync(join(root, "var/lib/orion-agent/node.json"), "{");
		await expect(run((session) => runInstall(session, options, facts()))).rejects.toMatchObject({ fault: { code: "CONFIG_INVALID" } });
		rmSync(join(root, "var"), { recursive: true });
		await run((session) => runUninstall(session, { role: "agent", root }));
		expect(shown(root)).toEqual(before);
	});

	test("the guard that is built is one: it runs, and says how it is used", async () => {
		const root = tree();
		await run((session) => runInstall(session, { role: "robot", root, robotModel: "fnk0031" }, facts()));
		const guard = join(root, "usr/local/lib/orion/linux-guard");
		expect(() => execFileSync(guard, [], { stdio: "pipe" })).toThrow("usage: linux-guard");
		expect(readFileSync(join(root, "etc/systemd/system/orion-actuator.service"), "utf8")).toContain("fnk0031.yaml --driver twin");
	});

	test("a tree that cannot be written, and words that systemd would read otherwise, are refused by name", async () => {
		const options = { role: "core" as const, root: tree(), robotModel: "fnk0052" };
		const refused = (more: object) => run((session) => runInstall(session, { ...options, ...more }, facts()));
		await expect(refused({ listen: "a b" })).rejects.toMatchObject({ fault: { code: "USAGE" } });
		await expect(refused({ redis: 'redis://"x' })).rejects.toMatchObject({ fault: { code: "USAGE" } });
		await expect(refused({ role: "broker" })).rejects.toMatchObject({ fault: { code: "USAGE" } });
		await expect(run((session) => runInstall(session, options, facts({ program: () => undefined })))).rejects.toMatchObject({
			fault: { code: "INSTALL_REFUSED" },
		});
		writeFileSync(join(options.root, "etc/orion"), "a file");
		chmodSync(join(options.root, "etc/orion"), 0o644);
		await expect(refused({})).rejects.toThrow();
		expect(existsSync(join(options.root, "etc/systemd/system/orion-core.service"))).toBe(false);
	});
});
