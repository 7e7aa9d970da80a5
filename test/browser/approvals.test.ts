// Shows that what a person decides on the page is what the engine does: a yes runs it once, a no and silence run nothing (RUN-26, TELL-26).
import type { Page } from "playwright-core";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { DeskWorld } from "../core/http-desk.ts";
import { isLive, linkTo, PHONE, servePage, shoot, TestBrowser, TOKEN, worldNow } from "./rig.ts";

const opened: { close(): Promise<void> }[] = [];
const browser = new TestBrowser();
afterAll(() => browser.close());
afterEach(async () => {
	await browser.forget();
	for (const thing of opened.splice(0).reverse()) await thing.close();
});

/** A runaway service at N3: the mesh would stop it, which is RISKY, and asks. */
const asked = async (): Promise<{ readonly page: Page; readonly world: DeskWorld; readonly complaints: readonly string[] }> => {
	const world = worldNow();
	world.node("host", ["web"]);
	world.level("N3");
	world.tick(1_000);
	world.input("/nodes/host", "dev.orion.alert.firing.v1", {
		name: "service-runaway",
		severity: "error",
		summary: "it eats all memory",
		labels: { service: "web" },
	});
	const api = await servePage(world);
	opened.push(api);
	const { page, complaints } = await browser.look({ size: PHONE });
	await page.goto(await linkTo(`http://127.0.0.1:${api.port}`, TOKEN));
	await isLive(page);
	await page.getByRole("article", { name: "process.stop on host waits for you" }).waitFor();
	return { page, world, complaints };
};

const recorded = (world: DeskWorld, name: string): readonly Readonly<Record<string, unknown>>[] =>
	world.records
		.filter(({ envelope }) => envelope.type === `dev.orion.${name}.v1`)
		.map(({ envelope }) => envelope.data as unknown as Readonly<Record<string, unknown>>);

describe("a question of the engine", () => {
	test("is shown as it was asked, and that it was shown is a record", async () => {
		const { page, world } = await asked();
		const [request] = recorded(world, "approval.requested");
		const text = await page.textContent("#approvals");
		for (const part of ["plan", "why", "blast", "undoSays"]) expect(text).toContain(String(request?.[part]));
		await expect.poll(() => recorded(world, "approval.seen")).toMatchObject([{ approval: request?.["approval"], by: "lars", via: "page" }]);
		await shoot(page, "approval-real-phone-light");
	});

	test("approved: it is done once, for exactly what was shown, and the page says by whom", async () => {
		const { page, world, complaints } = await asked();
		await page.getByRole("button", { name: "Approve process.stop on host" }).click();
		expect(recorded(world, "action.requested")).toEqual([]);
		await page.getByRole("button", { name: "Yes, run process.stop" }).click();
		await expect.poll(() => recorded(world, "approval.decided")).toMatchObject([{ verdict: "approve", by: "lars", via: "page" }]);
		const [request] = recorded(world, "approval.requested");
		expect(recorded(world, "approval.decided")[0]?.["boundHash"]).toBe(request?.["boundHash"]);
		world.tick(1_000);
		await expect.poll(() => page.textContent("#approvals")).toContain("approved by lars (page)");
		expect(recorded(world, "action.requested")).toMatchObject([{ name: "process.stop", approval: request?.["approval"] }]);
		expect(complaints).toEqual([]);
	});

	test("denied: nothing is done, and the reason stands in the log", async () => {
		const { page, world } = await asked();
		await page.getByRole("button", { name: "Deny process.stop on host" }).click();
		await page.getByLabel(/Why not/).fill("the backup runs");
		await page.getByRole("button", { name: "Deny it" }).click();
		await expect.poll(() => recorded(world, "approval.decided")).toMatchObject([{ verdict: "deny", why: "the backup runs", via: "page" }]);
		world.tick(1_000);
		await expect.poll(() => page.textContent("#approvals")).toContain("denied: nothing was done by lars (page)");
		expect(recorded(world, "action.requested")).toEqual([]);
	});

	test("its time ends while its dialog is open: the dialog goes, nothing is done, and the page says so", async () => {
		const { page, world } = await asked();
		await page.getByRole("button", { name: "Approve process.stop on host" }).click();
		await page.getByRole("dialog").waitFor();
		world.tick(600_001);
		await page.getByRole("dialog").waitFor({ state: "hidden" });
		await expect.poll(() => page.textContent("#approvals")).toContain("expired: nobody decided in time, nothing was done");
		expect(recorded(world, "action.requested")).toEqual([]);
		expect(recorded(world, "approval.decided")).toEqual([]);
	});

	test("what it was about ends by itself: it is no question any more", async () => {
		const { page, world } = await asked();
		world.input("/nodes/host", "dev.orion.alert.resolved.v1", { name: "service-runaway" });
		await expect.poll(() => page.textContent("#approvals")).toContain("nothing was done");
		expect(await page.getByRole("button", { name: "Approve process.stop on host" }).count()).toBe(0);
	});
});

describe("an ask for a higher level that came by a chat", () => {
	const levelAsked = async (): Promise<{ readonly page: Page; readonly world: DeskWorld }> => {
		const world = worldNow();
		world.node("host", ["web"]);
		world.level("N2");
		world.tick(1_000);
		const data = { ask: "apr-00112233aabb", level: "N3", before: "N2", by: "telegram:4711 Anna", via: "telegram", decideWithinMs: 600_000 } as const;
		world.input("/core/telegram", "dev.orion.level.asked.v1", data);
		const api = await servePage(world);
		opened.push(api);
		const { page } = await browser.look({ size: PHONE });
		await page.goto(await linkTo(`http://127.0.0.1:${api.port}`, TOKEN));
		await isLive(page);
		await page.getByRole("article", { name: "level N3 on the whole mesh waits for you" }).waitFor();
		return { page, world };
	};

	test("TELL-48: waits on the page as well; two taps raise the level, once, and the page says by whom", async () => {
		const { page, world } = await levelAsked();
		const text = await page.textContent("#approvals");
		expect(text).toContain("telegram:4711 Anna asks for level N3");
		expect(text).toContain("raise the level from N2 to N3");
		await shoot(page, "approval-level-phone-light");
		await page.getByRole("button", { name: "Approve level N3 on the whole mesh" }).click();
		expect(world.state.level).toBe("N2");
		await page.getByRole("button", { name: "Yes, set level N3" }).click();
		await expect.poll(() => page.textContent("#approvals")).toContain("level N3 on the whole mesh: approved by lars (page)");
		expect(world.state.level).toBe("N3");
		expect(recorded(world, "level.answered")).toEqual([{ ask: "apr-00112233aabb", end: "approved", by: "lars", via: "page" }]);
	});

	test("TELL-48: answered in the chat while its dialog is open: the dialog goes, and nothing else is done", async () => {
		const { page, world } = await levelAsked();
		await page.getByRole("button", { name: "Approve level N3 on the whole mesh" }).click();
		await page.getByRole("dialog").waitFor();
		const data = { approval: "apr-00112233aabb", verdict: "deny", by: "telegram:4711 Anna", via: "telegram" } as const;
		const boundHash = world.state.chat?.levelAsks[0]?.asked.boundHash ?? "";
		world.input("/core/telegram", "dev.orion.approval.decided.v1", { ...data, boundHash });
		await page.getByRole("dialog").waitFor({ state: "hidden" });
		await expect.poll(() => page.textContent("#approvals")).toContain("denied: nothing was done by telegram:4711 Anna (telegram)");
		expect(world.state.level).toBe("N2");
	});
});
