// Shows that another machine becomes a node with one address and one token, runs its agent over TLS, and is out when it is revoked, and comes back when it joins anew: RUN-40, HARM-108, RUN-43.
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, expect, test } from "vitest";
import { expectGolden, shapeOf } from "../cli/shape.ts";
import { ORION, runOrion, TestMesh, until } from "../support/mesh.ts";

interface Nodes {
	readonly nodes: readonly {
		readonly node: string;
		readonly presence?: string;
		readonly metrics?: unknown;
		readonly session?: string;
		readonly outboxCount?: number;
	}[];
}

const meshes: TestMesh[] = [];
const agents: ChildProcess[] = [];

afterEach(async () => {
	for (const agent of agents.splice(0)) {
		const gone = agent.exitCode === null && agent.signalCode === null ? new Promise((resolve) => agent.once("close", resolve)) : undefined;
		agent.kill("SIGTERM");
		await gone;
	}
	for (const mesh of meshes.splice(0)) await mesh.remove();
});

test("RUN-40, HARM-108, RUN-43: node add, join, agent: the node is there; revoked, it is out and restricted; joined anew, it is what it was", async () => {
	const mesh = await TestMesh.make("node: host\n", ["--listen", "127.0.0.1", "--mqtts-port", "0", "--join-port", "0"]);
	meshes.push(mesh);
	await mesh.start();
	expect(mesh.parts.find(({ part }) => part === "listen")?.detail).toMatch(/mqtts:\/\/127\.0\.0\.1:\d+/);
	const added = JSON.parse((await mesh.orion("node", "add", "pi-3", "--json")).out) as { readonly join: { readonly address: string; readonly token: string } };
	const state = join(mesh.folder, "pi-3");
	const joined = await runOrion(["join", added.join.address, added.join.token, "--state", state, "--json"]);
	expect(JSON.parse(joined.out)).toMatchObject({ schema: "orion.join/1", node: "pi-3" });
	expectGolden("join.shape.txt", shapeOf(JSON.parse(joined.out)));
	expectGolden("node-with-join.shape.txt", shapeOf(added as object));
	const again = await runOrion(["join", added.join.address, added.join.token, "--state", join(mesh.folder, "second"), "--json"]);
	expect([again.code, JSON.parse(again.err)]).toMatchObject([4, { code: "TOKEN_REFUSED" }]);

	const agent = spawn(process.execPath, [ORION, "agent", "--state", state], { stdio: ["ignore", "pipe", "inherit"] });
	agents.push(agent);
	const lines: string[] = [];
	createInterface({ input: agent.stdout }).on("line", (line) => lines.push(line));
	const nodeOf = async () => (await mesh.ask<Nodes>("/state/nodes")).nodes.find(({ node }) => node === "pi-3");
	await until("pi-3 is ready and measured", async () => {
		const node = await nodeOf();
		return node?.presence === "ready" && node.metrics !== undefined ? node : undefined;
	});
	const before = readdirSync(state).sort();
	const revoked = await mesh.orion("node", "revoke", "pi-3", "--yes", "--json");
	expect(JSON.parse(revoked.out)).toMatchObject({ schema: "orion.node-revoked/1", node: "pi-3", certificates: [expect.stringMatching(/^[0-9A-F]+$/)] });
	await until("the agent knows that its certificate was taken back", () => lines.find((line) => line.includes('"CERTIFICATE_REVOKED"')));
	expect(lines.some((line) => line.includes('"event":"restricted"'))).toBe(true);
	const records = await mesh.orion("logs", "--type", "node.removed");
	expect(records.out).toMatch(/pi-3 was revoked by .*, and its certificate counts no more/);
	expect(await nodeOf()).toMatchObject({ presence: "revoked", connected: false, credential: { certificate: "revoked" } });
	expect(before.filter((name) => !readdirSync(state).includes(name))).toEqual([]);
	// It goes on observing, and ends in order when it is told to.
	const closed = new Promise<number | null>((resolve) => agent.once("close", resolve));
	agent.kill("SIGTERM");
	expect(await closed).toBe(0);

	// Undone: joined anew into the same folder, it is the node that it was.
	const anew = JSON.parse((await mesh.orion("node", "add", "pi-3", "--json")).out) as typeof added;
	expect((await runOrion(["join", anew.join.address, anew.join.token, "--state", state, "--json"])).code).toBe(0);
	const second = spawn(process.execPath, [ORION, "agent", "--state", state], { stdio: ["ignore", "ignore", "inherit"] });
	agents.push(second);
	const back = await until("pi-3 is ready again", async () => {
		const node = await nodeOf();
		return node?.presence === "ready" && node.session !== undefined && node.outboxCount !== undefined ? node : undefined;
	});
	expect(Number(back.session?.split(".")[0])).toBeGreaterThan(1);
	const listed = await mesh.orion("node", "ls");
	expect(listed.out).toMatch(/NODE +PRESENCE +PULSE +CERTIFICATE +SESSION +VERSION +OUTBOX +CLOCK/);
	expect(listed.out).toMatch(/pi-3 +ready +\S+( \S+)? +7(29|30) d +\d+ +\d+\.\d+\.\d+ +\d+ +(synced|holdover|unsynced)/);
});
