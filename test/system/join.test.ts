// Shows that another machine becomes a node with one address and one token, runs its agent over TLS, and is out when it is removed: RUN-40, HARM-64.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, expect, test } from "vitest";
import { expectGolden, shapeOf } from "../cli/shape.ts";
import { ORION, runOrion, TestMesh, until } from "../support/mesh.ts";

interface Nodes {
	readonly nodes: readonly { readonly node: string; readonly presence?: string; readonly metrics?: unknown }[];
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

test("RUN-40: up --listen, node add, join, agent: the node is there and measured; removed, it is let in no more", async () => {
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
	expect((await mesh.orion("node", "rm", "pi-3", "--yes")).code).toBe(0);
	await until("the agent says that its credential is refused", () => lines.find((line) => line.includes("NOT_AUTHENTICATED") || line.includes("credential")));
	// It goes on observing, and ends in order when it is told to.
	const closed = new Promise<number | null>((resolve) => agent.once("close", resolve));
	agent.kill("SIGTERM");
	expect(await closed).toBe(0);
});
