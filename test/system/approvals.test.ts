// Shows on real processes that a RISKY repair happens after a person's yes and not without: refused at N2, denied and expired at N3, then approved (HARM-30..34).
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { TestMesh, until } from "../support/mesh.ts";

const SERVICE = `require("fs").appendFileSync("starts", process.pid + "\\n"); setInterval(() => {}, 1000);`;

let mesh: TestMesh | undefined;
afterEach(async () => {
	await mesh?.stop();
	await mesh?.remove();
	mesh = undefined;
});

const pidOf = (of: TestMesh): number | undefined => {
	try {
		return Number(readFileSync(join(of.folder, "starts"), "utf8").trim().split("\n").at(-1));
	} catch {
		return undefined;
	}
};

const lives = (pid: number): boolean => {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
};

interface Row {
	readonly approval: string;
	readonly status: string;
	readonly plan: string;
	readonly outcome?: { readonly end: string };
}

/** Time to decide is a second, so that a question expires while the test looks. */
const ASKING = `version: 1
decideWithin: 1s
executeWithin: 60s
askAgainAfter: 1s
askTimesMax: 100
asksPerHour: 100
forgetAfter: 30d
keepMax: 200
`;

test("a runaway is stopped after a yes; not at N2, not after a no, not in silence", async () => {
	const made = await TestMesh.make();
	mesh = made;
	const config = `node: host\npolicies: policies\nprocesses:\n  web:\n    command: ${JSON.stringify([process.execPath, "-e", SERVICE])}\n    cwd: ${made.folder}\n`;
	writeFileSync(join(made.folder, "orion.yaml"), config);
	await made.start();
	const pid = await until("the service runs", () => pidOf(made));
	const rows = async (): Promise<readonly Row[]> => (await made.ask<{ approvals: readonly Row[] }>("/state/approvals?status=all")).approvals;
	const newest = (status: string, than?: string): Promise<Row> =>
		until(`a question is ${status}`, async () => (await rows()).find((row) => row.status === status && row.approval !== than));

	expect((await made.orion("level", "N2")).code).toBe(0);
	expect((await made.orion("alert", "service-runaway", "it eats all memory", "--label", "service=web")).code).toBe(0);
	const refused = await until("it is refused", async () => {
		const { out } = await made.orion("why");
		return out.includes("REFUSED") ? out : undefined;
	});
	expect(refused).toContain("needs N3");
	expect(await rows()).toEqual([]);

	expect((await made.orion("level", "N3")).code).toBe(0);
	const asked = await newest("open");
	const shown = await made.orion("approvals", "show", asked.approval);
	for (const part of ["process.stop (service web) on host", "host/web", "undo", "evidence", "left to decide"]) expect(shown.out).toContain(part);
	expect((await made.orion("deny", asked.approval, "-m", "I look at it")).code).toBe(0);
	expect((await made.orion("approve", asked.approval, "--yes")).code).toBe(6);
	expect(lives(pid)).toBe(true);

	mkdirSync(join(made.folder, "policies"), { recursive: true });
	writeFileSync(join(made.folder, "policies/approvals.yaml"), ASKING);
	expect((await made.orion("config", "reload")).code).toBe(0);
	const silent = await newest("expired");
	expect((await made.orion("approve", silent.approval, "--yes")).code).toBe(6);
	expect(lives(pid)).toBe(true);

	writeFileSync(join(made.folder, "policies/approvals.yaml"), ASKING.replace("decideWithin: 1s", "decideWithin: 10min"));
	expect((await made.orion("config", "reload")).code).toBe(0);
	const open = await newest("open");
	const approved = await made.orion("approve", open.approval, "--yes", "-m", "stop it");
	expect([approved.code, approved.err]).toEqual([0, ""]);
	await until("the service is stopped", () => (lives(pid) ? undefined : true));
	expect((await made.orion("alert", "service-runaway", "--resolved")).code).toBe(0);
	const ended = await until("it is verified", async () =>
		(await rows()).find(({ approval, outcome }) => approval === open.approval && outcome?.end === "verified"),
	);
	expect(ended.status).toBe("approved");
	expect((await made.orion("approve", open.approval, "--yes")).code).toBe(5);

	expect((await made.orion("approvals", "undo", open.approval)).code).toBe(0);
	const again = await until("it runs again", () => (pidOf(made) === pid ? undefined : pidOf(made)));
	expect(lives(again)).toBe(true);
	await until("it is said to be taken back", async () => {
		const { out } = await made.orion("approvals", "show", open.approval);
		return /taken back by act-[0-9a-f]+: done/.test(out) ? true : undefined;
	});

	const records = await made.records();
	const of = (type: string) => records.filter(({ envelope }) => envelope.type === `dev.orion.${type}.v1`);
	expect(of("action.requested").map(({ envelope }) => (envelope.data as { approval?: string }).approval)).toEqual([open.approval, undefined]);
	expect(of("approval.refused").length).toBe(3);
	const why = await made.orion("why", open.approval);
	for (const part of ["What was asked", "says approve", "process.stop"]) expect(why.out).toContain(part);
	expect((await made.orion("replay")).code).toBe(0);
}, 180_000);
