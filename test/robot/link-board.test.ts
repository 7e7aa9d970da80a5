// Shows that host and real firmware agree: handshake, arming, renewals, and every way in which the line or the board goes wrong ends with outputs off.
import { describe, expect, test } from "vitest";
import { MIDDLE } from "../firmware-bridge/bench-board.ts";
import { BoardLine, beat } from "./board-line.ts";

const moving = (tick: number): readonly number[] => MIDDLE.map((pulseUs, joint) => pulseUs + ((tick + joint) % 40) * 5);

const armed = async () => {
	const line = new BoardLine();
	const driver = await line.driver();
	beat(line, driver, 400);
	expect(driver.status().kind).toBe("off");
	driver.enable(line.now());
	beat(line, driver, 1_000, moving);
	expect(driver.status()).toMatchObject({ kind: "on", board: "leg-board", simulated: false, poweredGroups: 3 });
	return { line, driver };
};

describe("a driver and the leg board's firmware", () => {
	test("HARM-26 arms by the nonce, renews, moves, and is switched off", async () => {
		const { line, driver } = await armed();
		expect(line.board.outputsOn).toBe(true);
		const before = line.lastPulseChangeMs();
		beat(line, driver, 5_000, moving);
		expect(line.board.outputsOn).toBe(true);
		expect(line.lastPulseChangeMs()).toBeGreaterThan(before + 4_900);
		driver.disable(line.now());
		line.runMs(5);
		expect(line.board.outputsOn).toBe(false);
		beat(line, driver, 600);
		expect(driver.status().kind).toBe("off");
	});

	test("HARM-26 it can be armed again after it was switched off, with a new nonce", async () => {
		const { line, driver } = await armed();
		driver.disable(line.now());
		beat(line, driver, 700);
		driver.enable(line.now());
		beat(line, driver, 400, moving);
		expect(driver.status().kind).toBe("on");
		expect(line.board.outputsOn).toBe(true);
	});

	test("HARM-27 held: outputs stay on and as they are, no pose is taken; the way down is taken again", async () => {
		const { line, driver } = await armed();
		driver.hold();
		line.runMs(20);
		const changedAt = line.lastPulseChangeMs();
		beat(line, driver, 3_000, moving);
		expect(driver.status().kind).toBe("held");
		expect(line.board.outputsOn).toBe(true);
		expect(line.lastPulseChangeMs()).toBe(changedAt);
		driver.settle();
		beat(line, driver, 200, moving);
		expect(line.lastPulseChangeMs()).toBeGreaterThan(changedAt);
	});

	test("HARM-23 HARM-27 a loop that does not turn any more: pulses stand still 200 ms after the last renewal, off after the freeze time", async () => {
		const { line, driver } = await armed();
		const diedAt = line.now();
		line.runMs(250);
		expect(line.lastPulseChangeMs()).toBeLessThanOrEqual(diedAt + 205);
		expect(line.board.outputsOn).toBe(true);
		line.runMs(2_000);
		expect(line.board.outputsOn).toBe(false);
		// The loop comes back and knows that it was away: it does not go on.
		beat(line, driver, 100, moving);
		expect(driver.status()).toMatchObject({ kind: "fault" });
		expect(line.board.outputsOn).toBe(false);
	});

	test("HARM-28 a cable that is out is found by the reply that does not come, and faults; plugging it in changes nothing by itself", async () => {
		const { line, driver } = await armed();
		line.isPlugged = false;
		beat(line, driver, 400, moving);
		expect(driver.status()).toMatchObject({ kind: "fault", fault: "no-answer" });
		line.isPlugged = true;
		beat(line, driver, 3_000, moving);
		expect(driver.status().kind).toBe("fault");
		expect(line.board.outputsOn).toBe(false);
		driver.again(line.now());
		beat(line, driver, 700);
		expect(driver.status().kind).toBe("off");
	});

	test("HARM-28 a board that starts anew while armed is a fault, never armed again by the host", async () => {
		const { line, driver } = await armed();
		line.board.clearInterrupts();
		beat(line, driver, 400, moving);
		expect(line.board.events.some((event) => event.kind === "reset")).toBe(true);
		beat(line, driver, 1_000, moving);
		expect(driver.status().kind).toBe("fault");
		expect(line.board.outputsOn).toBe(false);
	});

	test("HARM-28 servo chips that lost power are a fault of the line, with the board's cause", async () => {
		const { line, driver } = await armed();
		for (const chip of line.board.chips.values()) chip.losePower();
		beat(line, driver, 400, moving);
		expect(driver.status()).toMatchObject({ kind: "fault", fault: "off-unasked", faultDetail: "chip-fault" });
	});

	test("HARM-28 other firmware than the one built for is never armed", async () => {
		const line = new BoardLine();
		const driver = await line.driver({ firmware: "0000000000000000" });
		beat(line, driver, 600);
		driver.enable(line.now());
		beat(line, driver, 400, moving);
		expect(driver.status()).toMatchObject({ kind: "fault", fault: "other-firmware" });
		expect(line.board.outputsOn).toBe(false);
	});

	test("HARM-28 a line that hangs up is a fault, and nothing more is written to it", async () => {
		const { line, driver } = await armed();
		line.hangUp();
		const { written } = line;
		beat(line, driver, 400, moving);
		expect(driver.status()).toMatchObject({ kind: "fault", fault: "line-closed" });
		expect(line.written).toBe(written);
	});

	test("HARM-28 a host that finds the board still on waits for its dead-man before it says that it is off", async () => {
		const { line, driver } = await armed();
		beat(line, driver, 100, moving);
		const next = await line.driver();
		beat(line, next, 1_000);
		expect(next.status().kind).toBe("closed");
		beat(line, next, 2_500);
		expect(next.status().kind).toBe("off");
		expect(line.board.outputsOn).toBe(false);
	});
});
