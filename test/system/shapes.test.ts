// Shows that what commands say to scripts keeps its shape: against a real mesh, those answers that a desk alone cannot give (RUN-33).
import { execFile } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { peer } from "../../build/peers.mjs";
import { expectGolden, shapeOf } from "../cli/shape.ts";
import { TestMesh, until } from "../support/mesh.ts";

const run = promisify(execFile);

let mesh: TestMesh;
beforeAll(async () => {
	mesh = await TestMesh.make("node: host\n");
	await mesh.start();
	await until("the host is there", async () =>
		(await mesh.ask<{ nodes: { presence: string }[] }>("/state/nodes")).nodes[0]?.presence === "ready" ? true : undefined,
	);
});
afterAll(async () => {
	await mesh.stop();
	await mesh.remove();
});

const json = async (args: readonly string[], code = 0): Promise<{ readonly schema?: string }> => {
	const ran = await mesh.orion(...args, "--json");
	expect([ran.code, ran.code === 0 ? ran.err : ""], ran.err).toEqual([code, ""]);
	// A command that goes on says a line at a time: the last one counts.
	return JSON.parse((ran.code === 0 ? ran.out : ran.err).trimEnd().split("\n").at(-1) ?? "") as { schema?: string };
};

describe("RUN-33 --json of a real mesh", () => {
	test("the line that says ready", async () => {
		expect(mesh.ready).toMatchObject({ event: "ready" });
		expectGolden("up.shape.txt", shapeOf(mesh.ready));
		expectGolden("up-part.shape.txt", shapeOf(mesh.parts[0] as object));
	});

	test.each([
		["audit-signed", ["audit", "checkpoint"]],
		["config", ["config", "check"]],
		["logs", ["logs", "--type", "engine.started", "--lines", "1"]],
		["reconciliation", ["reconciliation"]],
		["stop", ["stop"]],
		["release", ["release", "host", "--yes"]],
		["safe-stop", ["explain", "safe-stop"]],
	] as const)("%s", async (name, args) => {
		expectGolden(`${name}.shape.txt`, shapeOf(await json(args)));
	});

	test("an error says what is wrong and what to do", async () => {
		expectGolden("error.shape.txt", shapeOf(await json(["why", "inc-none"], 1)));
	});
});

describe("RUN-33 a script", () => {
	test("says something with the very line that `node add` printed", async () => {
		const { command, env } = peer("mosquitto_pub");
		const added = await mesh.orion("node", "add", "backup");
		const line = added.out.split("\n").find((each) => each.trimStart().startsWith("mosquitto_pub ")) ?? added.err;
		await run("bash", ["-c", line.trim()], { env: { ...env, PATH: `${dirname(command)}${delimiter}${process.env["PATH"]}` } });
		// What was said is acknowledged when it is durable; its incident is opened a moment later.
		await until("the incident of the script's node", async () => {
			const { incidents } = await mesh.ask<{ incidents: { node: string }[] }>("/state/incidents");
			return incidents.some(({ node }) => node === "backup") ? true : undefined;
		});
	});
});
