// Shows that what joined as a client raises an alert with the very lines that were printed for it: on core's own host, and over TLS with its own certificate (RUN-55).
import { execFile } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { peer } from "../../build/peers.mjs";
import { runOrion, TestMesh, until } from "../support/mesh.ts";

const run = promisify(execFile);
const meshes: TestMesh[] = [];
afterEach(async () => {
	for (const mesh of meshes.splice(0)) await mesh.remove();
});

/** A line for a shell out of what was printed. */
const lineOf = (out: string, program: string): string => {
	const line = out.split("\n").find((each) => each.trimStart().startsWith(`${program} `));
	if (line === undefined) throw new Error(`no line for ${program} in ${out}`);
	return line.trim();
};

/** As a person pastes it, in a folder that has nothing to do with the mesh. */
const paste = async (line: string, cwd: string): Promise<void> => {
	const { command, env } = peer("mosquitto_pub");
	const { stderr } = await run("sh", ["-c", line], { cwd, env: { ...env, PATH: `${dirname(command)}${delimiter}${process.env["PATH"]}` } });
	expect(stderr).toBe("");
};

test("RUN-55: `node add --client` and `join --client` print lines of mosquitto_pub that work as they stand, the second over TLS", async () => {
	const mesh = await TestMesh.make("", ["--listen", "127.0.0.1", "--mqtts-port", "0", "--join-port", "0"], "core");
	meshes.push(mesh);
	await mesh.start();
	const raised = async () =>
		(await mesh.records()).filter(({ envelope }) => envelope.source === "/nodes/backup" && envelope.type === "dev.orion.alert.firing.v1").length;
	const added = await mesh.orion("node", "add", "backup", "--client");
	await paste(lineOf(added.out, "mosquitto_pub"), mesh.folder);
	await until("the alert is a record", async () => ((await raised()) === 1 ? true : undefined));

	// A shell would take this apart.
	const folder = join(mesh.folder, "what 'publishes' $HOME");
	const [, , address = "", token = ""] = lineOf(added.out, "orion").split(" ");
	// One that began with a dash was an option to the command line: one mesh in 64 could not be joined.
	expect(token).toMatch(/^orion\.[A-Za-z0-9_-]{43}\.backup\./);
	const joined = await runOrion(["join", address, token, "--client", "--state", folder]);
	expect([joined.code, joined.err]).toEqual([0, expect.any(String)]);
	const line = lineOf(joined.out, "mosquitto_pub");
	expect(line).toMatch(/ --cert .* --key .* -P "\$\(/);
	// Anew, or it is the same message once more; what the printed line says stands but for its id.
	await paste(line.replace('"id":"try-1"', '"id":"try-2"'), mesh.folder);
	await until("the second alert is a record", async () => ((await raised()) === 2 ? true : undefined));
	expect((await mesh.records()).filter(({ envelope }) => envelope.type === "dev.orion.quarantine.entry.v1")).toEqual([]);
});
