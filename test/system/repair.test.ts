// Shows the whole story on real processes: killed at N0, explained; repaired at N2, again and again; broken for good, left alone: HARM-1 HARM-2 HARM-5 HARM-6.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { TestMesh, until } from "../support/mesh.ts";

/** Notes each start, and ends at once while a file called `broken` is there. */
const SERVICE = `const fs = require("fs"); fs.appendFileSync("starts", process.pid + "\\n"); if (fs.existsSync("broken")) { console.error("cannot find its disk"); process.exit(3); } setInterval(() => {}, 1000);`;

let mesh: TestMesh | undefined;
afterEach(async () => {
	if (mesh === undefined) return;
	const last = starts(mesh).at(-1);
	await mesh.stop();
	await mesh.remove();
	mesh = undefined;
	if (last !== undefined) expect(() => process.kill(last, 0), "the service outlived the mesh that was stopped in order").toThrow();
});

const starts = (of: TestMesh): readonly number[] => {
	try {
		return readFileSync(join(of.folder, "starts"), "utf8").split("\n").filter(Boolean).map(Number);
	} catch {
		return [];
	}
};

interface Seen {
	readonly id: string;
	readonly rule: string;
	readonly status: string;
	readonly decision?: { readonly verdict: string };
}

test("the first real service: N0 says what it would do, N2 does it, a hopeless one is left to a person", async () => {
	const made = await TestMesh.make();
	mesh = made;
	writeFileSync(
		join(made.folder, "orion.yaml"),
		`node: host\nprocesses:\n  web:\n    command: ${JSON.stringify([process.execPath, "-e", SERVICE])}\n    cwd: ${made.folder}\n`,
	);
	await made.start();
	const first = await until("the service runs", () => starts(made)[0]);
	const about = async (): Promise<Seen | undefined> =>
		(await made.ask<{ incidents: readonly Seen[] }>("/state/incidents?status=all&limit=100")).incidents.find(({ rule }) => rule === "service-down");

	process.kill(first, "SIGKILL");
	const incident = await until("an incident is open", async () => ((await about())?.status === "open" ? about() : undefined));
	const why = await made.orion("why", incident.id);
	expect(why.code).toBe(0);
	for (const part of ["process.restart", "N0", "policies/autonomy.yaml:", "orion level N2", "SIGKILL"]) expect(why.out).toContain(part);
	expect(starts(made)).toHaveLength(1);

	expect((await made.orion("level", "N2")).code).toBe(0);
	await until("it is repaired and verified", async () => ((await about())?.status === "resolved" ? true : undefined), 60_000);
	expect(starts(made)).toHaveLength(2);
	const repaired = await made.orion("why", incident.id);
	expect(repaired.out).toMatch(/verified|stayed clear/i);

	for (let time = 2; time <= 3; time++) {
		process.kill(starts(made).at(-1) ?? 0, "SIGKILL");
		await until("it is repaired again", async () => (starts(made).length === time + 1 && (await about())?.status === "resolved" ? true : undefined), 60_000);
	}

	writeFileSync(join(made.folder, "broken"), "");
	process.kill(starts(made).at(-1) ?? 0, "SIGKILL");
	const records = await until(
		"a person is asked",
		async () => {
			const all = await made.records();
			return all.some(({ envelope }) => envelope.type === "dev.orion.person.asked.v1") ? all : undefined;
		},
		90_000,
	);
	expect(records.filter(({ envelope }) => envelope.type === "dev.orion.breaker.opened.v1")).toHaveLength(1);
	expect(starts(made)).toHaveLength(6);
	const card = await made.orion("why", incident.id);
	for (const part of ["breaker", "person", "cannot find its disk"]) expect(card.out).toContain(part);
	expect((await made.orion("replay")).code).toBe(0);
}, 240_000);
