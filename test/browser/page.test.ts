// Shows the page in a real browser: what a person sees and can reach, and that it says when it no longer knows (RUN-24, RUN-25, RUN-26).
import type { Page } from "playwright-core";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { HttpApi } from "../../core/service/http.ts";
import type { DeskWorld } from "../core/http-desk.ts";
import { isLive, type Looks, linkTo, PHONE, servePage, shoot, TestBrowser, TOKEN, type Watched, worldNow } from "./rig.ts";

const opened: { close(): Promise<void> }[] = [];
const browser = new TestBrowser();
afterAll(() => browser.close());
afterEach(async () => {
	await browser.forget();
	for (const thing of opened.splice(0).reverse()) await thing.close();
});

const serve = async (world: DeskWorld, port = 0): Promise<HttpApi> => {
	const api = await servePage(world, port);
	opened.push(api);
	return api;
};

const look = async (api: HttpApi, looks: Looks = {}): Promise<Watched> => {
	const watched = await browser.look(looks);
	await watched.page.goto(await linkTo(`http://127.0.0.1:${api.port}`, TOKEN));
	await isLive(watched.page);
	return watched;
};

/** A dead service at N0 and an open door. */
const troubled = (): DeskWorld => {
	const world = worldNow();
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

	test("TELL-50: an incident about a number has a picture of it, with words for whoever does not see it", async () => {
		const world = worldNow();
		world.node("host", ["web"]);
		for (let n = 0; n < 60; n++) {
			world.tick(10_000);
			const diskUsedRatioMax = 0.93 + n * 0.0006;
			world.input("/nodes/host", "dev.orion.host.metrics.v1", { uptimeSeconds: 5 + n, cpuRatio: 0.12, memoryUsedRatio: 0.41, diskUsedRatioMax });
		}
		const { page, complaints } = await look(await serve(world), { size: PHONE });
		const card = page.getByRole("article", { name: /a disk on host is 0\.95\d* full/ });
		await card.waitFor();
		if ((await card.locator("details").getAttribute("open")) === null) await card.locator("summary").click();
		const picture = card.getByRole("img", { name: /^Chart of the measurements over time, with their bound 0\.95: a disk on host is 0\.95\d* full$/ });
		await picture.scrollIntoViewIfNeeded();
		const sizeOf = (image: unknown): readonly number[] => {
			const { naturalWidth, naturalHeight } = image as { readonly naturalWidth: number; readonly naturalHeight: number };
			return [naturalWidth, naturalHeight];
		};
		await expect.poll(() => picture.evaluate(sizeOf)).toEqual([720, 380]);
		// As wide as the phone lets it be, and not distorted.
		const box = await picture.boundingBox();
		expect(box?.width).toBeLessThanOrEqual(PHONE.width);
		expect(box?.width).toBeGreaterThan(PHONE.width * 0.75);
		expect((box?.width ?? 0) / (box?.height ?? 1)).toBeCloseTo(720 / 380, 1);
		await shoot(page, "evidence-phone-light");
		expect(complaints).toEqual([]);
	});

	test("what happens is shown without a reload", async () => {
		const world = worldNow();
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

/** Every control of a document with the name that a screen reader says; Chromium's own tree. */
const namesIn = async (page: Page): Promise<readonly { readonly role: string; readonly name: string }[]> => {
	const session = await page.context().newCDPSession(page);
	const { nodes } = await session.send("Accessibility.getFullAXTree");
	return nodes
		.filter(
			({ ignored, role }) =>
				!ignored &&
				["button", "link", "textbox", "DisclosureTriangle", "dialog", "article", "region", "status", "alert", "list", "heading"].includes(String(role?.value)),
		)
		.map(({ role, name }) => ({ role: String(role?.value), name: String(name?.value ?? "") }));
};

describe("for a screen reader", () => {
	test("every control, card and section has a name, headings are in order, what changes is announced", async () => {
		const { page } = await look(await serve(troubled()));
		await page.getByRole("article", { name: "web on host is down" }).waitFor();
		const named = await namesIn(page);
		const nameless = named.filter(
			({ role, name }) => ["button", "link", "textbox", "DisclosureTriangle", "article", "region", "heading"].includes(role) && name.trim() === "",
		);
		expect(nameless).toEqual([]);
		expect(named.filter(({ role }) => role === "button").map(({ name }) => name)).toContain("STOP");
		expect(named.filter(({ role }) => role === "region").map(({ name }) => name)).toEqual([
			"Incidents",
			"Nodes",
			"What it may do by itself",
			"What happened last",
		]);
		expect(await page.getAttribute("#sentence", "aria-live")).toBe("polite");
		expect(await page.getAttribute("#stale", "role")).toBe("alert");
		expect(await page.getAttribute("html", "lang")).toBe("en");
	});

	test.each(["light", "dark"] as const)("text stands out from its ground at least 4.5 to 1, %s", async (scheme) => {
		const { page } = await look(await serve(troubled()), { scheme });
		await page.getByRole("article", { name: "web on host is down" }).waitFor();
		const faint = await page.evaluate(CONTRAST);
		expect(faint).toEqual([]);
		await shoot(page, `incident-desk-${scheme}`);
	});
});

/** Runs in the browser: texts whose colour is too near to that of their ground. */
const CONTRAST = `(() => {
	const channels = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
	const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ground = (element) => {
		for (let at = element; at !== null; at = at.parentElement) {
			const found = channels(getComputedStyle(at).backgroundColor);
			if (found.length === 3 || found[3] === 1) return found;
		}
		return [255, 255, 255];
	};
	const faint = [];
	for (const element of document.querySelectorAll("body *")) {
		if (element.tagName === "CODE" || ![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== "")) continue;
		if (!element.checkVisibility() || element.matches("noscript, .unseen, .skip")) continue;
		const [one, other] = [light(channels(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
		const ratio = (one + 0.05) / (other + 0.05);
		if (ratio < 4.5) faint.push(element.tagName + " " + element.className + " " + ratio.toFixed(2) + " " + element.textContent.slice(0, 30));
	}
	return faint;
})()`;

describe("what is no longer known", () => {
	test("core goes: everything is shown as old, with its age, and nothing can be decided; core comes back: it is so again, without a reload", async () => {
		const world = troubled();
		const api = await serve(world);
		const { page, complaints } = await look(api, { size: PHONE });
		await page.getByRole("article", { name: "web on host is down" }).waitFor();
		await page.evaluate("window.mark = 'the same document'");
		await api.close();
		await page.waitForSelector('body[data-link="lost"]');
		await expect.poll(() => page.textContent("#stale")).toMatch(/^No connection to core\. What stands below is .* old and may be wrong\.$/);
		expect(await page.evaluate("getComputedStyle(document.querySelector('main')).filter")).toBe("grayscale(1)");
		expect(await page.getByRole("button", { name: "STOP" }).isEnabled()).toBe(true);
		await shoot(page, "stale-phone-light");
		world.up("host", "web");
		await serve(world, api.port);
		await isLive(page);
		await expect.poll(() => page.textContent("#sentence")).not.toContain("web on host is down");
		expect(await page.isHidden("#stale")).toBe(true);
		expect(await page.evaluate("window.mark")).toBe("the same document");
		expect(complaints).toEqual([]);
	});

	test("a browser that core does not know is told what to do, and comes in as soon as somebody opens a link in it", async () => {
		const api = await serve(troubled());
		const { page } = await browser.look();
		const url = `http://127.0.0.1:${api.port}`;
		await page.goto(`${url}/?link=spent-long-ago`);
		await page.waitForSelector('body[data-link="over"]');
		expect(await page.textContent("#stale")).toContain("Print a new one with `orion open`");
		expect(page.url()).toBe(`${url}/`);
		await shoot(page, "not-signed-in-desk-light");
		const other = await page.context().newPage();
		await other.goto(await linkTo(url, TOKEN));
		await isLive(other);
		await isLive(page);
	});

	test("a line that says nothing more is a line that is lost", async () => {
		const world = troubled();
		const api = await serve(world);
		const { page } = await browser.look();
		// The browser believes that it is connected: it is the beat that does not come.
		await page.addInitScript("window.EventSource = class extends EventTarget { constructor() { super(); setTimeout(() => this.onopen?.(), 0); } close() {} };");
		await page.goto(await linkTo(`http://127.0.0.1:${api.port}`, TOKEN));
		await isLive(page);
		await page.waitForSelector('body[data-link="lost"]', { timeout: 30_000 });
	});

	test("nothing of the token stands in the page, its storage or its address", async () => {
		const api = await serve(troubled());
		const { page } = await look(api);
		const all = String(
			await page.evaluate(
				"document.documentElement.outerHTML + location.href + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie",
			),
		);
		expect(all).not.toContain(TOKEN);
		expect(await page.evaluate("document.cookie")).toBe("");
	});
});
