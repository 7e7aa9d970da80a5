// Shows the way out of an open breaker: a person says that something was mended, and the mesh tries again as if nothing had failed. HARM-6, TELL-5.
import { describe, expect, test } from "vitest";
import { openBreaker } from "../../core/brain/open-breaker.ts";
import { openIncidents } from "../../core/state.ts";
import { DeskWorld, hopeless, repaired } from "./http-desk.ts";

const verdictOf = (world: DeskWorld): string | undefined => openIncidents(world.state)[0]?.decision?.verdict;
const requested = (world: DeskWorld): number => world.records.filter(({ envelope }) => envelope.type === "dev.orion.action.requested.v1").length;

describe("an open breaker", () => {
	test("HARM-6: stays open however long nobody says anything within its time", () => {
		const world = hopeless();
		for (let minute = 1; minute <= 20; minute++) world.tick(60_000);
		expect([verdictOf(world), requested(world)]).toEqual(["ask", 2]);
	});

	test("is named by its incident, the beginning of its id, or its service", () => {
		const { state } = hopeless();
		const [incident] = openIncidents(state);
		const key = "process.restart host service=web";
		for (const named of [incident?.id ?? "", incident?.id.slice(0, 7) ?? "", "web"])
			expect(openBreaker(state, named)).toEqual({ ok: true, value: { incident: incident?.id, key } });
	});

	test("closed by a person: decided again at once, one new attempt, and its failure counts from one", async () => {
		const world = hopeless();
		const answer = await world.desk().retry("web", "lars");
		expect(answer).toMatchObject({ ok: true });
		expect([verdictOf(world), requested(world)]).toEqual(["act", 3]);
		world.receipts("received", "accepted", "started", "done");
		world.tick(21_000);
		const target = world.state.targets["process.restart host service=web"];
		expect([target?.failures, target?.breakerUntilMs]).toEqual([1, 0]);
	});

	test("at N0 a person's word closes it, and still nothing runs", async () => {
		const world = hopeless();
		world.level("N0");
		expect(await world.desk().retry("web", "lars")).toMatchObject({ ok: true });
		expect([verdictOf(world), requested(world)]).toEqual(["would", 2]);
	});
});

describe("what is not an open breaker", () => {
	test("no open incident of that name, or one whose breaker is closed", () => {
		expect(openBreaker(repaired().state, "web")).toMatchObject({ ok: false, fault: { code: "NOT_FOUND" } });
		const world = new DeskWorld();
		world.node("host", ["web"]);
		world.down("host", "web");
		expect(openBreaker(world.state, "web")).toMatchObject({ ok: false, fault: { code: "USAGE" } });
	});
});
