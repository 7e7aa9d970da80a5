// Shows that an incident about a number that was really measured has its picture: asked of a running mesh, drawn from what is on record (TELL-50).
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT, TestMesh, until } from "../support/mesh.ts";

test("TELL-50: memory above a bound that every machine passes: an incident, and a PNG of the measurements with what it shows in words", async () => {
	const mesh = await TestMesh.make("node: host\npolicies: mine\n");
	try {
		const mine = join(mesh.folder, "mine");
		cpSync(join(ROOT, "policies"), mine, { recursive: true });
		const rules = readFileSync(join(mine, "correlation.yaml"), "utf8");
		const [before, memory, after] = rules.split(/(?<= {2}- id: memory-nearly-full\n)([\s\S]*?)(?= {2}- id:)/);
		const low = memory
			?.replace(/above: .*/, "above: 0.001")
			.replace(/clearBelow: .*/, "clearBelow: 0.0005")
			.replace(/for: .*/, "for: 1s");
		writeFileSync(join(mine, "correlation.yaml"), `${before}${low}${after}`);
		await mesh.start();
		const incident = await until(
			"the incident",
			async () => {
				const opened = (await mesh.records()).find(({ envelope }) => envelope.type === "dev.orion.incident.opened.v1")?.envelope;
				return opened?.type === "dev.orion.incident.opened.v1" ? opened.data.incident : undefined;
			},
			90_000,
		);
		// One measurement is no line: the second one is recorded ten seconds after the first.
		const picture = await until(
			"a picture",
			async () => {
				const answer = await fetch(`${mesh.url}/evidence/${incident}.png`, { headers: { authorization: `Bearer ${mesh.token}` } });
				return answer.status === 200 ? answer : undefined;
			},
			90_000,
		);
		expect(picture.headers.get("content-type")).toBe("image/png");
		expect(decodeURIComponent(picture.headers.get("x-caption") ?? "")).toMatch(
			/^memory in use of host, bound 0\.1%: \d+ measurements, \d{4}-\d\d-\d\d \d\d:\d\d to /,
		);
		const bytes = Buffer.from(await picture.arrayBuffer());
		expect([bytes.subarray(1, 4).toString(), bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual(["PNG", 720, 380]);
		const folder = join(ROOT, ".cache/screens");
		mkdirSync(folder, { recursive: true });
		writeFileSync(join(folder, "evidence-measured.png"), bytes);
	} finally {
		await mesh.stop();
		await mesh.remove();
	}
});
