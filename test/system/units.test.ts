// Shows that the units of systemd are ones that systemd understands, that they give their processes little, and that they do not forbid what Node needs (RUN-49, HARM-118).
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { planOf, ROLES } from "../../agents/install/plan.ts";
import { peer } from "../../build/peers.mjs";
import { ROOT } from "../support/mesh.ts";
import { removeFolder } from "../support/remove-folder.ts";

const FOLDER = join(ROOT, "deploy/systemd");
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith(".service"));
/** In tenths, as systemd counts what a service could do; 100 is one that may do everything. */
const EXPOSURE_MAX = 25;

let folder = "";
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "orion-units-"));
	const units = Object.fromEntries(NAMES.map((name) => [name, readFileSync(join(FOLDER, name), "utf8")]));
	mkdirSync(join(folder, "lib"));
	copyFileSync("/bin/true", join(folder, "lib/linux-guard"));
	for (const role of ROLES) {
		const redis = role === "core" ? ({ kind: "own", program: "/bin/true", password: "x" } as const) : ({ kind: "none" } as const);
		for (const step of planOf({ role, node: process.execPath, home: ROOT.replace(/\/$/, ""), units, args: [], redis, model: "fnk0052" }))
			if (step.kind === "file" && step.path.endsWith(".service"))
				// The guard is built where it runs; here another program stands for it.
				writeFileSync(join(folder, step.path.split("/").at(-1) ?? ""), step.text.replaceAll("/usr/local/lib/orion/", `${folder}/lib/`));
	}
});
afterAll(() => removeFolder(folder));

test("RUN-49 every unit belongs to a role, and systemd finds nothing wrong with any of them", () => {
	const rendered = readdirSync(folder).filter((name) => name.endsWith(".service"));
	expect(rendered.sort()).toEqual([...NAMES].sort());
	const { command, env } = peer("systemd-analyze");
	const { status, stdout, stderr } = spawnSync(command, ["verify", "--man=no", ...rendered.map((name) => join(folder, name))], { env, encoding: "utf8" });
	// Of units of this machine it may complain as it likes.
	const ours = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("orion-"));
	expect({ status, ours }).toEqual({ status: 0, ours: [] });
	writeFileSync(join(folder, "orion-wrong.service"), "[Service]\nExecStart=/nowhere/at/all\nWatchdogSex=3\n");
	const wrong = spawnSync(command, ["verify", "--man=no", join(folder, "orion-wrong.service")], { env, encoding: "utf8" });
	rmSync(join(folder, "orion-wrong.service"));
	expect(`${wrong.stdout}${wrong.stderr}`).toContain("WatchdogSex");
});

test.each(NAMES)("HARM-118 %s may do little", (name) => {
	const { command, env } = peer("systemd-analyze");
	const said = execFileSync(command, ["security", "--offline=yes", "--no-pager", `--threshold=${EXPOSURE_MAX}`, join(folder, name)], { env, encoding: "utf8" });
	expect(said).toContain("Overall exposure level");
});

test("RUN-49 Node is not forbidden to compile; what waits for ready is told by any of its processes; robots end with outputs off", () => {
	for (const name of NAMES) {
		const text = readFileSync(join(folder, name), "utf8");
		const settings = text.split("\n").filter((line) => !line.startsWith("#"));
		const runsNode = settings.some((line) => line.startsWith("ExecStart=") && line.includes(process.execPath));
		expect({ name, forbidden: runsNode && settings.some((line) => line.startsWith("MemoryDenyWriteExecute=")) }).toEqual({ name, forbidden: false });
		if (!runsNode) continue;
		for (const line of ["Type=notify", "NotifyAccess=all", "Restart=always"])
			expect({ name, has: settings.includes(line) ? line : "" }).toEqual({ name, has: line });
		expect(settings.some((line) => /^WatchdogSec=\d+$/.test(line))).toBe(true);
	}
	expect(readFileSync(join(folder, "orion-guard.service"), "utf8")).toMatch(/^ExecStopPost=\S+\/linux-guard --off /m);
});
