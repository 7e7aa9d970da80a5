// Shows the page in a real browser: what a person sees and can reach, and that it says when it no longer knows (RUN-24, RUN-25, RUN-26).
import { afterEach, describe, expect, test } from "vitest";
import type { HttpApi } from "../../core/service/http.ts";
import { DeskWorld } from "../core/http-desk.ts";
import { isLive, type Looks, linkTo, PHONE, servePage, shoot, TestBrowser, TOKEN, type Watched } from "./rig.ts";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
	for (const thing of opened.splice(0).reverse()) await thing.close();
});

const serve = async (world: DeskWorld, port = 0): Promise<HttpApi> => {
	const api = await servePage(world, port);
	opened.push(api);
	return api;
};

const look = async (api: HttpApi, looks: Looks = {}): Promise<Watched> => {
	const browser = new TestBrowser();
	opened.push(browser);
	const watched = await browser.look(looks);
	await watched.page.goto(await linkTo(`http://127.0.0.1:${api.port}`, TOKEN));
	await isLive(watched.page);
	return watched;
};

/** A dead service at N0 and an open door. */
const troubled = (): DeskWorld => {
	const world = new DeskWorld();
	world.node("host", ["web", "api"]);
	world.down("host", "web");
	world.alert("door", "warning");
	return world;
};

describe("what a person sees", () => {
	test("a sentence about now, the incident with its why card, nodes, level, history; nothing loaded from elsewhere, no policy violated", async () => {
		const { page, complaints } = await look(await serve(troubled()));
		await expect.poll(() => page.textContent("#sentence")).toContain("web on host is down");
		expect(page.url()).not.toContain("link=");
		const card = page.getByRole("article", { name: "web on host is down" });
		const why = card.locator("details");
		if ((await why.getAttribute("open")) === null) await card.locator("summary").click();
		await expect.poll(() => why.textContent()).toContain("policies/autonomy.yaml:");
		expect(await why.textContent()).toContain("orion level N2");
		expect(await page.textContent("#level")).toContain("now: it observes");
		expect(await page.textContent("#nodes")).toContain("host");
		expect(await page.textContent("#history")).toContain("incident opened");
		await shoot(page, "incident-desk-light");
		expect(complaints).toEqual([]);
	});

	test("what happens is shown without a reload", async () => {
		const world = new DeskWorld();
		world.node("host", ["web"]);
		const { page } = await look(await serve(world), { size: PHONE });
		await expect.poll(() => page.textContent("#sentence")).toContain("Nothing is wrong");
		await shoot(page, "empty-phone-light");
		world.down("host", "web");
		await expect.poll(() => page.textContent("#sentence")).toContain("web on host is down");
		world.up("host", "web");
		await expect.poll(() => page.textContent("#sentence")).toContain("Nothing is wrong");
	});
});
