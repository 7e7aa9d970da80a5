// Shows that the calculated robot goes where it is told, follows the pulses of the real firmware, and falls, sags and stops when its parts fail.
import { describe, expect, test } from "vitest";
import { advanceTwin, SOUND, sittingTwin } from "../../firmware-bridge/body/twin.ts";
import { CHANNELS, LoopRig, onTwin, plan } from "./loop-rig.ts";
import { footByChain, policyOf } from "./plans.ts";

describe("the twin", () => {
	test("HARM-76 says that it is simulated, stands on six feet after arming, and walks where it was told to", async () => {
		const { rig, driver } = await onTwin();
		expect(driver.status()).toMatchObject({ simulated: true, board: "twin" });
		expect(driver.twin.contact).toEqual([true, true, true, true, true, true]);
		expect(Math.abs(driver.twin.heightMm - plan.heightsMm.stand)).toBeLessThan(1);
		await rig.walking(6_000);
		const { yMm, xMm } = rig.loop.motion.travelled;
		expect(yMm).toBeGreaterThan(150);
		expect(Math.abs(driver.twin.yMm - yMm)).toBeLessThan(0.1 * yMm);
		expect(Math.abs(driver.twin.xMm - xMm)).toBeLessThan(15);
		expect(driver.twin.marginMm).toBeGreaterThan(20);
		expect(rig.faults).toEqual([]);
	});

	test("HARM-76 turns as far as it was told, to the left for a positive angle", async () => {
		const { rig, driver } = await onTwin();
		await rig.walking(6_000, { yMm: 0, turnDegrees: 10 });
		const { headingDegrees } = rig.loop.motion.travelled;
		expect(headingDegrees).toBeGreaterThan(30);
		expect(Math.abs(driver.twin.headingDegrees - headingDegrees)).toBeLessThan(0.15 * headingDegrees);
	});

	test("HARM-76 fed with the pulses of the real firmware its feet are where a separate forward calculation has them", async () => {
		const rig = await (await LoopRig.onBoard()).armed();
		let twin = sittingTwin(plan);
		await rig.turns(2_000, () => {
			rig.lease();
			twin = advanceTwin(plan, twin, rig.line.pulsesUs(CHANNELS), 20, SOUND);
		});
		const meant = rig.loop.motion.kind === "standing" ? rig.loop.motion.walk.posture.angles : [];
		for (const [leg, angles] of meant.entries()) {
			const [one, other] = [footByChain(policyOf("fnk0052"), leg, angles), footByChain(policyOf("fnk0052"), leg, twin.angles[leg] ?? angles)];
			// One turn of the loop and one step of the chip behind.
			expect(Math.hypot(one.x - other.x, one.y - other.y, one.z - other.z)).toBeLessThan(12);
		}
		expect(meant).toHaveLength(6);
	});

	test("HARM-77 an empty battery cuts, a low one sits, a weak one lets nothing begin; a moment's sag does nothing", async () => {
		const { rig, driver } = await onTwin();
		driver.faults = { ...SOUND, batteryMv: 6_300 };
		await rig.walking(100);
		driver.faults = SOUND;
		await rig.walking(1_000);
		expect(rig.kind).toBe("moving");
		driver.faults = { ...SOUND, batteryMv: 6_700 };
		await rig.walking(6_000);
		expect(rig.kinds.slice(-2)).toEqual(["settling", "off"]);
		expect(rig.loop.arm(rig.loop.mover.armEpoch)).toMatchObject({ fault: { facts: { why: "inhibited" } } });
		const other = await onTwin();
		other.driver.faults = { ...SOUND, batteryMv: 5_000 };
		await other.rig.walking(4_000);
		expect(other.rig.kind).toBe("fault");
		expect(other.driver.status().kind).toBe("off");
	});

	test("HARM-77 something in the way holds it, being pushed over switches it off, a knock of 40 ms does not", async () => {
		const { rig, driver } = await onTwin();
		driver.faults = { ...SOUND, tiltDegrees: 50 };
		await rig.walking(40);
		driver.faults = SOUND;
		await rig.walking(500);
		expect(rig.kind).toBe("moving");
		driver.faults = { ...SOUND, rangeMm: 80 };
		await rig.walking(100);
		expect(rig.kind).toBe("hold");
		driver.faults = { ...SOUND, tiltDegrees: 50 };
		await rig.turns(200);
		expect(rig.kind).toBe("fault");
		expect(driver.status().kind).toBe("off");
	});

	test("HARM-77 without pulses it is limp and lies on its belly; a joint that is stuck is seen in its feet", async () => {
		const { rig, driver } = await onTwin();
		driver.faults = { ...SOUND, stuck: [{ leg: 1, joint: "femur" }] };
		const stuckAt = driver.twin.angles[0]?.femur;
		await rig.walking(1_000);
		expect(driver.twin.angles[0]?.femur).toBe(stuckAt);
		rig.loop.order("cut", true);
		await rig.turns(40);
		expect(driver.twin.holding).toEqual([false, false, false, false, false, false]);
		expect(driver.twin.heightMm).toBe(plan.heightsMm.sit);
	});

	test("HARM-77 a loop that stood still finds it frozen, then off, like a board", async () => {
		const { rig, time } = await onTwin();
		await rig.walking(500);
		time.runMs(400);
		rig.loop.turn();
		expect(rig.kind).not.toBe("moving");
		await rig.turns(100);
		expect(rig.kind).toBe("fault");
	});
});
