// Shows the page over a real mesh: opened by the command line, alerted by a script, stopped for real, and there again after core was killed (RUN-23, RUN-25, RUN-26).
import { afterAll, afterEach, expect, test } from "vitest";
import { TestMesh } from "../support/mesh.ts";
import { isLive, PHONE, shoot, TestBrowser } from "./rig.ts";

const opened: (() => Promise<void>)[] = [];
const browser = new TestBrowser();
afterAll(() => browser.close());
afterEach(async () => {
	await browser.forget();
	for (const close of opened.splice(0).reverse()) await close();
});

test("open, alert, STOP, kill -9 of the mesh, and the same page goes on with the same session", async () => {
	const mesh = await TestMesh.make("processes:\n  web: { command: [sleep, '100000'] }\n");
	opened.push(() => mesh.remove());
	await mesh.start();
	const printed = await mesh.orion("open");
	expect([printed.code, printed.out.trim()]).toEqual([0, expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/\?link=[\w-]{22}$/)]);
	expect(printed.err).toContain("it works once");
	const { page, complaints } = await browser.look({ size: PHONE });
	await page.goto(printed.out.trim());
	await isLive(page);
	await expect.poll(() => page.textContent("#sentence")).toContain("Nothing is wrong");
	await page.evaluate("window.mark = 'the same document'");

	expect((await mesh.orion("alert", "door", "left open", "--severity", "error")).code).toBe(0);
	await expect.poll(() => page.textContent("#sentence")).toContain("left open");

	await mesh.kill();
	await page.waitForSelector('body[data-link="lost"]');
	await mesh.start();
	await page.waitForSelector('body[data-link="live"]', { timeout: 30_000 });
	await expect.poll(() => page.textContent("#sentence")).toContain("left open");
	expect(await page.evaluate("window.mark")).toBe("the same document");

	await page.getByRole("button", { name: "STOP" }).click();
	await expect.poll(() => page.textContent("#stop-answer")).toMatch(/ stopped after \d+ ms/);
	await expect.poll(() => page.textContent("#stopped")).toContain("STOPPED");
	const status = JSON.parse((await mesh.orion("status", "--json")).out) as { stops: readonly { via: string; verb: string }[] };
	expect(status.stops).toMatchObject([{ verb: "stop", via: "page" }]);

	expect((await mesh.orion("alert", "door", "--resolved")).code).toBe(0);
	await expect.poll(() => page.textContent("#incidents")).toContain("None is open");
	expect(complaints).toEqual([]);
});

test("a script calls a service a runaway, a person says yes on a phone, and the service is stopped: asked, seen, decided, done, and verified", async () => {
	const mesh = await TestMesh.make("processes:\n  web: { command: [sleep, '100000'] }\n", ["--level", "N3"]);
	opened.push(() => mesh.remove());
	await mesh.start();
	const { page } = await browser.look({ size: PHONE, scheme: "dark" });
	await page.goto((await mesh.orion("open")).out.trim());
	await isLive(page);
	await expect.poll(() => page.textContent("#nodes")).toContain("web");
	expect((await mesh.orion("alert", "service-runaway", "it eats all memory", "--label", "service=web", "--severity", "error")).code).toBe(0);
	await page.getByRole("button", { name: /^Approve process\.stop on / }).click();
	await page.getByRole("button", { name: "Yes, run process.stop" }).click();
	await expect.poll(() => page.textContent("#approvals")).toMatch(/approved by .* \(page\)/);
	const named = async (name: string) => (await mesh.records()).filter(({ envelope }) => envelope.type === `dev.orion.${name}.v1`);
	await expect.poll(async () => (await named("process.stopped")).length).toBe(1);
	// The script sees that the memory is free again.
	expect((await mesh.orion("alert", "service-runaway", "--resolved")).code).toBe(0);
	await expect.poll(async () => (await named("action.closed")).length).toBe(1);
	for (const name of ["approval.requested", "approval.seen", "approval.decided", "approval.closed", "action.requested"])
		expect([name, (await named(name)).length]).toEqual([name, 1]);
	await expect.poll(() => page.textContent("#approvals")).toContain("It ended verified.");
	await expect.poll(() => page.textContent("#sentence")).toContain("Nothing is wrong");
	await shoot(page, "approved-real-phone-dark");
});
