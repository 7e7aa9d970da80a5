// Shows the small things that people meet every day: a level in lower case, the end of an alert that is not open, a long story made short (RUN-33).
import { afterEach, describe, expect, test } from "vitest";
import { wrap } from "../../agents/cli/layout.ts";
import { Session } from "../../agents/cli/session.ts";
import { whyCard } from "../../agents/cli/why.ts";
import type { WhyView } from "../../core/service/http-why.ts";
import { DeskWorld, hopeless } from "../core/http-desk.ts";
import { apiOver, type TestApi } from "./host.ts";

const apis: TestApi[] = [];
afterEach(async () => {
	for (const api of apis.splice(0)) await api.close();
});
const over = async (world: DeskWorld): Promise<TestApi> => {
	const api = await apiOver(world);
	apis.push(api);
	return api;
};

describe("RUN-33 what people type and see every day", () => {
	test("a level in lower case is that level; N1 is explained", async () => {
		const world = new DeskWorld();
		const api = await over(world);
		expect((await api.run(["level", "n2"])).out).toContain("was N0 and is N2 now");
		expect(world.state.level).toBe("N2");
		expect(await api.run(["level", "n1"])).toMatchObject({ code: 2, out: "", err: expect.stringContaining("To suggest is what N0 does anyway") });
	});

	test("the end of an alert that is not open says so, and is recorded", async () => {
		const world = new DeskWorld();
		const api = await over(world);
		expect((await api.run(["alert", "door", "left open"])).out).toContain("raised door");
		expect((await api.run(["alert", "dooor", "--resolved"])).out).toContain("nothing of the name dooor was open");
		expect(world.records.at(-1)?.envelope.type).toBe("dev.orion.alert.resolved.v1");
		expect((await api.run(["alert", "door", "--resolved"])).out).toContain("resolved door");
	});

	test.each([40, 80])("a word that no line of %i columns can hold is parted where people part it, and nothing of it is lost", (width) => {
		const long =
			'one of the allowed values: ["info","warning","error","critical"] and /a/very/long/path/that/goes/on/and/on/and/on/for/ever/and/a/day.txt xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx';
		const lines = wrap(long, width, " ".repeat(12)).split("\n");
		expect(lines.filter((line) => line.length > width)).toEqual([]);
		expect(lines.join("").replaceAll(" ", "")).toBe(long.replaceAll(" ", ""));
	});

	test("why shows the newest repairs step by step, and the ones before in a line each", async () => {
		const world = hopeless();
		const answer = JSON.parse((await (await over(world)).run(["why", world.incident(), "--json"])).out) as WhyView;
		const [action] = answer.actions;
		if (action === undefined) throw new Error("nothing was done");
		const many = { ...answer, actions: Array.from({ length: 20 }, (_, index) => ({ ...action, attempt: index + 1 })) };
		const host = {
			out: () => undefined,
			err: () => undefined,
			outIsTty: true,
			errIsTty: false,
			inIsTty: false,
			columns: 80,
			env: { NO_COLOR: "1" },
			user: "lars",
		};
		const session = new Session({ ...host, wallMs: () => world.wallMs, askLine: async () => "", interrupted: new AbortController().signal }, {});
		const card = whyCard(session, many);
		const done = card.slice(card.indexOf("What was done"), card.indexOf("The breaker"));
		expect(done).toContain("13 earlier ones: orion incident show");
		expect(done.match(/attempt \d+/g)).toEqual(["attempt 14", "attempt 15", "attempt 16", "attempt 17", "attempt 18", "attempt 19", "attempt 20"]);
		expect(done.split("accepted").length - 1).toBe(2);
		expect(card.split("\n").filter((line) => line.length > 80)).toEqual([]);
	});
});
