// Shows how a person decides and stops on the page: approve, deny, too late, STOP; by mouse, by thumb and by keyboard only (RUN-26, TELL-26).
import type { Page } from "playwright-core";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { DeskWorld } from "../core/http-desk.ts";
import { Questions } from "./questions.ts";
import { isLive, type Looks, linkTo, PHONE, servePage, shoot, TestBrowser, TOKEN, worldNow } from "./rig.ts";

const opened: { close(): Promise<void> }[] = [];
const browser = new TestBrowser();
afterAll(() => browser.close());
afterEach(async () => {
	await browser.forget();
	for (const thing of opened.splice(0).reverse()) await thing.close();
});

interface Scene {
	readonly page: Page;
	readonly world: DeskWorld;
	readonly questions: Questions;
	readonly stops: unknown[];
	readonly complaints: readonly string[];
}

/** A dead service at N3, and a page on which questions can wait. */
const scene = async (looks: Looks, prepare: (questions: Questions) => void): Promise<Scene> => {
	const world = worldNow();
	world.node("host", ["web"]);
	world.down("host", "web");
	world.level("N3");
	world.node("hexapod", []);
	world.mute.add("hexapod");
	const api = await servePage(world);
	opened.push(api);
	const { page, complaints } = await browser.look(looks);
	const questions = new Questions();
	prepare(questions);
	await questions.answerTo(page);
	const stops: unknown[] = [];
	page.on("request", (asked) => {
		if (asked.method() === "POST" && asked.url().endsWith("/stop")) stops.push(asked.postDataJSON());
	});
	await page.goto(await linkTo(`http://127.0.0.1:${api.port}`, TOKEN));
	await isLive(page);
	return { page, world, questions, stops, complaints };
};

const cardOf = (page: Page, name: string) => page.getByRole("article", { name: `${name} on host waits for you` });

describe("a question", () => {
	test("says what runs, on what, why, what it touches, how it is undone, and how long there is", async () => {
		const { page, questions: asks } = await scene({ size: PHONE }, (questions) => questions.ask("process.stop", 125_000));
		const text = await cardOf(page, "process.stop").textContent();
		for (const part of [
			"process.stop (service web)",
			"host, web",
			"two restarts did not help",
			"RISKY",
			"who uses web sees it stop",
			"stays stopped until a person starts it",
			"2:0",
			"If nobody decides, nothing is done",
		])
			expect(text).toContain(part);
		expect(await page.textContent("#sentence")).toContain("1 question waits for you");
		expect(asks.seen).toEqual(["apr-000000000001"]);
		await shoot(page, "approval-phone-light");
	});

	test("is approved by a second press in a dialog that has its way back in focus; core gets the hash of what was read", async () => {
		const { page, questions, complaints } = await scene({ size: PHONE, scheme: "dark" }, (asks) => asks.ask("process.stop", 60_000));
		await cardOf(page, "process.stop").getByRole("button", { name: "Approve process.stop on host" }).click();
		const dialog = page.getByRole("dialog", { name: "Run process.stop (service web) on host?" });
		await dialog.waitFor();
		expect(await page.evaluate("document.activeElement.textContent")).toBe("Back");
		await shoot(page, "approve-dialog-phone-dark");
		expect(questions.sent).toEqual([]);
		await dialog.getByRole("button", { name: "Yes, run process.stop" }).click();
		await dialog.waitFor({ state: "hidden" });
		expect(questions.sent).toHaveLength(1);
		expect(questions.sent[0]).toMatchObject({
			path: "/approvals/apr-000000000001/approve",
			body: { boundHash: `sha256:${"a".repeat(64)}`, by: "lars", via: "page" },
		});
		expect(questions.sent[0]?.key).toMatch(/^[\w-]{43}$/);
		await expect.poll(() => page.textContent("#approvals")).toContain("approved by lars (page)");
		expect(complaints).toEqual([]);
	});

	test("that cannot be undone is approved only after its target was typed", async () => {
		const { page, questions } = await scene({}, (asks) => asks.ask("volume.delete", 60_000, "impossible"));
		expect(await cardOf(page, "volume.delete").textContent()).toContain("CANNOT be undone");
		await page.getByRole("button", { name: "Approve volume.delete on host" }).click();
		const go = page.getByRole("button", { name: "Yes, run volume.delete" });
		expect(await go.isDisabled()).toBe(true);
		await page.keyboard.type("hos");
		expect(await go.isDisabled()).toBe(true);
		await page.keyboard.press("Enter");
		expect(questions.sent).toEqual([]);
		await page.keyboard.type("t");
		expect(await go.isDisabled()).toBe(false);
		await page.keyboard.press("Enter");
		await expect.poll(() => questions.rows[0]?.status).toBe("approved");
	});

	test("is denied with a reason, and the reason is shown", async () => {
		const { page, questions } = await scene({}, (asks) => asks.ask("process.stop", 60_000));
		await shoot(page, "approval-desk-light");
		await page.getByRole("button", { name: "Deny process.stop on host" }).click();
		await page.getByLabel(/Why not/).fill("the backup runs");
		await page.getByRole("button", { name: "Deny it" }).click();
		await expect.poll(() => page.textContent("#approvals")).toContain("denied: nothing was done by lars (page): the backup runs");
		expect(questions.sent[0]).toMatchObject({ path: "/approvals/apr-000000000001/deny", body: { why: "the backup runs", by: "lars", via: "page" } });
	});

	test("whose time ends while somebody looks at it can no longer be approved, and is shown as expired", async () => {
		const { page, questions } = await scene({}, (asks) => asks.ask("process.stop", 4_000));
		await page.getByRole("button", { name: "Approve process.stop on host" }).click();
		const go = page.getByRole("button", { name: "Yes, run process.stop" });
		await expect.poll(async () => ((await go.count()) === 0 ? true : await go.isDisabled())).toBe(true);
		await expect.poll(() => page.textContent("#approvals")).toContain("expired: nobody decided in time, nothing was done");
		expect(questions.sent).toEqual([]);
		expect(await page.getByRole("dialog").count()).toBe(0);
	});

	test("that somebody else decided closes its dialog, and nothing is sent", async () => {
		const { page, world, questions } = await scene({}, (asks) => asks.ask("process.stop", 60_000));
		await page.getByRole("button", { name: "Approve process.stop on host" }).click();
		await page.getByRole("dialog").waitFor();
		const [row] = questions.rows;
		if (row !== undefined) Object.assign(row, { status: "denied", by: "eva" });
		world.alert("door");
		await page.getByRole("dialog").waitFor({ state: "hidden" });
		await expect.poll(() => page.textContent("#approvals")).toContain("denied: nothing was done by eva");
		expect(questions.sent).toEqual([]);
	});

	test("that core refuses says so in core's words", async () => {
		const { page, questions } = await scene({}, (asks) => asks.ask("process.stop", 60_000));
		await page.getByRole("button", { name: "Approve process.stop on host" }).click();
		const [row] = questions.rows;
		if (row !== undefined) row.status = "denied";
		await page.getByRole("button", { name: "Yes, run process.stop" }).click();
		await expect
			.poll(async () => `${await page.textContent("#ask")}${await page.textContent("#approvals")}`)
			.toMatch(/this question is over: nothing was done|denied/);
	});
});

describe("STOP", () => {
	test("is one press, needs no second, says who confirmed and who did not", async () => {
		const { page, stops } = await scene({ size: PHONE }, () => undefined);
		await page.getByRole("button", { name: "STOP" }).click();
		await expect.poll(() => page.textContent("#stop-answer")).toBe("Stop: hexapod did NOT answer; host stopped after 3 ms");
		expect(stops).toEqual([{ node: "all", by: "lars", via: "page" }]);
		await expect.poll(() => page.textContent("#stopped")).toMatch(/STOPPED: host, by lars at /);
		expect(await page.textContent("#stopped")).toContain("orion release NODE");
		expect(await page.textContent("#sentence")).toContain("2 nodes are stopped");
		await shoot(page, "stopped-phone-light");
	});

	test("is in sight on a phone wherever one has scrolled to, and large enough for a thumb", async () => {
		const { page, world } = await scene({ size: PHONE }, () => undefined);
		for (let index = 0; index < 20; index++) world.alert(`alert-${index}`);
		await expect.poll(() => page.textContent("#sentence")).toContain("incidents are open");
		await page.evaluate("scrollTo(0, document.body.scrollHeight)");
		// Where much else stands beside it, too.
		await page.evaluate("document.getElementById('mesh').textContent = 'a-mesh-with-a-name-that-takes-all-the-room-there-is'");
		const box = await page.getByRole("button", { name: "STOP" }).boundingBox();
		expect(box?.y).toBeGreaterThanOrEqual(0);
		expect((box?.y ?? 9_999) + (box?.height ?? 0)).toBeLessThanOrEqual(PHONE.height);
		expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThanOrEqual(44);
		expect(box?.height ?? 999).toBeLessThan(70);
		expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
	});

	test("is one key, also while a question is open; but not while somebody types", async () => {
		const { page, stops } = await scene({}, (asks) => asks.ask("volume.delete", 60_000, "impossible"));
		await page.keyboard.press("s");
		await expect.poll(() => stops.length).toBe(1);
		await page.getByRole("button", { name: "Approve volume.delete on host" }).click();
		await page.keyboard.type("s");
		expect(stops).toHaveLength(1);
		await page.getByRole("button", { name: "Back" }).focus();
		await page.keyboard.press("S");
		await expect.poll(() => stops.length).toBe(2);
	});

	test("is not under an open question: it is on top of it", async () => {
		const { page, questions, stops } = await scene({ size: PHONE }, (asks) => asks.ask("process.stop", 60_000));
		await page.getByRole("button", { name: "Approve process.stop on host" }).click();
		await page.getByRole("dialog").getByRole("button", { name: "STOP", exact: true }).click();
		await expect.poll(() => stops.length).toBe(1);
		await expect.poll(() => page.textContent("#stop-answer")).toContain("host stopped after 3 ms");
		expect(questions.sent).toEqual([]);
	});

	test("that core did not confirm is said to be not confirmed, with what else there is", async () => {
		const { page } = await scene({}, () => undefined);
		await page.route("**/stop", (route) => route.abort());
		await page.getByRole("button", { name: "STOP" }).click();
		await expect.poll(() => page.textContent("#stop-answer")).toContain("STOP was NOT confirmed: core does not answer. Use the switch at the robot");
	});
});

describe("without a mouse", () => {
	test("everything is reached with Tab, and a question is denied with the keyboard alone", async () => {
		const { page, questions } = await scene({}, (asks) => asks.ask("process.stop", 60_000));
		const reached: string[] = [];
		for (let press = 0; press < 12; press++) {
			await page.keyboard.press("Tab");
			reached.push(String(await page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")));
		}
		for (const name of ["to what is so now", "STOP", "Deny process.stop on host", "Approve process.stop on host", "Why, and what would change it"])
			expect(reached).toContain(name);
		expect(reached.indexOf("STOP")).toBeLessThan(3);
		await page.getByRole("button", { name: "Deny process.stop on host" }).focus();
		await page.keyboard.press("Enter");
		await page.keyboard.type("no");
		await page.keyboard.press("Enter");
		await expect.poll(() => questions.rows[0]?.status).toBe("denied");
		await page.getByRole("dialog").waitFor({ state: "hidden" });
	});

	test("Escape leaves a question undecided", async () => {
		const { page, questions } = await scene({}, (asks) => asks.ask("process.stop", 60_000));
		await page.getByRole("button", { name: "Approve process.stop on host" }).click();
		await page.keyboard.press("Escape");
		await page.getByRole("dialog").waitFor({ state: "hidden" });
		expect(questions.sent).toEqual([]);
		expect(questions.rows[0]?.status).toBe("open");
	});
});
