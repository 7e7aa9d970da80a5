// Shows how a person looks through the quarantine and deals with what is in it (RUN-30).
import { afterEach, describe, expect, test } from "vitest";
import { DeskWorld } from "../core/http-desk.ts";
import { apiOver, type TestApi } from "./host.ts";
import { expectGolden, shapeOf } from "./shape.ts";

const apis: TestApi[] = [];
afterEach(async () => {
	for (const api of apis.splice(0)) await api.close();
});

const MESSAGE = {
	specversion: "1.0",
	id: "a",
	source: "/nodes/host.script",
	type: "dev.orion.alert.firing.v1",
	data: { name: "door", severity: "error", summary: "open" },
};

const quarantined = async (text = JSON.stringify(MESSAGE)) => {
	const world = new DeskWorld();
	const position = world.input("/core/intake", "dev.orion.quarantine.entry.v1", {
		identity: "host.script",
		topic: "orion/v1/host/evt/alert",
		code: "CONTRACT_VIOLATED",
		contract: "alert.firing",
		pointer: "/data/severity",
		detail: 'alert.firing /data/severity: must be equal to one of the allowed values: ["info","warning","error","critical"]',
		bytesBase64: Buffer.from(text).toString("base64"),
		bytes: text.length,
	});
	const api = await apiOver(world);
	apis.push(api);
	return { world, position: String(position), run: (...args: string[]) => api.run(["quarantine", ...args]), api };
};

describe("RUN-30 orion quarantine", () => {
	test("ls, show, retry and drop keep their shapes", async () => {
		const { run, position } = await quarantined();
		expectGolden("quarantine.shape.txt", shapeOf(JSON.parse((await run("ls", "--json")).out)));
		expectGolden("quarantine-entry.shape.txt", shapeOf(JSON.parse((await run("show", position, "--json")).out)));
		expectGolden("quarantine-settled.shape.txt", shapeOf(JSON.parse((await run("retry", position, "--json")).out)));
	});

	test.each([80, 120])("what people read fits %i columns", async (columns) => {
		const { api, position } = await quarantined();
		for (const args of [["ls"], ["show", position]]) {
			const { out } = await api.run(["quarantine", ...args], { outIsTty: true, columns, env: { NO_COLOR: "1" } });
			expect(out.split("\n").filter((line) => line.length > columns)).toEqual([]);
			if (columns === 80) expectGolden(`quarantine-${args[0]}.card.txt`, out);
		}
	});

	test("retry takes what passes, and says once what it did", async () => {
		const { run, position, world } = await quarantined();
		const { code, out } = await run("retry", position);
		expect([code, out]).toEqual([0, expect.stringContaining(`#${position} was taken as #`)]);
		expect(world.records.some(({ envelope }) => envelope.type === "dev.orion.alert.firing.v1")).toBe(true);
		expect(await run("retry", position)).toMatchObject({ code: 1, out: "", err: expect.stringContaining("dealt with already: taken by lars") });
		expect((await run("ls")).out).toBe("nothing waits in quarantine\n");
		expect((await run("show", position)).out).toContain("dealt with: taken by lars");
	});

	test("retry of what still breaks: exit 8 and where", async () => {
		const { run, position } = await quarantined(JSON.stringify({ ...MESSAGE, data: { ...MESSAGE.data, severity: "terrible" } }));
		expect(await run("retry", position)).toMatchObject({ code: 8, out: "", err: expect.stringContaining("/data/severity") });
		expect((await run("ls")).out).toContain("1 waits");
	});

	test("drop asks, and takes only a yes; without a terminal it wants --yes", async () => {
		const { api, run, position, world } = await quarantined();
		expect(await run("drop", position)).toMatchObject({ code: 2, err: expect.stringContaining("give --yes") });
		expect((await api.run(["quarantine", "drop", position], { inIsTty: true, askLine: async () => "" })).code).toBe(1);
		expect((await api.run(["quarantine", "drop", position, "-m", "a test"], { inIsTty: true, askLine: async () => "y" })).code).toBe(0);
		expect(world.records.at(-1)?.envelope.data).toEqual({ entryPosition: Number(position), how: "dropped", by: "lars", why: "a test" });
	});

	test("what is none, and what is no position", async () => {
		const { run } = await quarantined();
		expect(await run("show", "1")).toMatchObject({ code: 1, err: expect.stringContaining("there is no message in quarantine at 1") });
		expect(await run("show", "x")).toMatchObject({ code: 2 });
	});

	test("what others wrote cannot steer the terminal", async () => {
		const { api, position } = await quarantined("\u001b]0;owned\u0007\u009b2J");
		const { out } = await api.run(["quarantine", "show", position], { outIsTty: true, env: { NO_COLOR: "1" } });
		// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
		expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
	});
});
