// Shows that each step of a rehearsal does what it says with the shipped firmware in an emulated board, which is real legs to whoever drives it.
import { describe, expect, test } from "vitest";
import { imageUnderTest } from "../firmware-bridge/image.ts";
import { rehearsedFile } from "../support/rehearsed.ts";
import { planOf } from "./plans.ts";
import { RehearsalRig } from "./rehearsal-rig.ts";
import { firstSteps, laterSteps, onlyNamedLegs } from "./rehearsal-steps.ts";

const FIRMWARE = imageUnderTest().manifest.sourceSha256.slice(0, 16);

/** The emulated board turns its joints for a minute of its own time. */
describe("a rehearsal on the shipped firmware", { timeout: 600_000 }, () => {
	firstSteps("shipped firmware");
	laterSteps("shipped firmware");
	const real = (upTo: number) => rehearsedFile(planOf("fnk0052"), { simulated: false, firmware: FIRMWARE }, upTo);

	test("HARM-150 real legs with fewer than nine steps: no arming and no lease but the next step's", async () => {
		for (const upTo of [0, 4, 8]) {
			const rig = await RehearsalRig.onBoard(planOf("fnk0052"), real(upTo));
			const heard = () => rig.loop.heard();
			await rig.turns(1_600, heard);
			expect(rig.loop.arm(rig.loop.mover.armEpoch)).toMatchObject({ ok: false, fault: { facts: { why: "not-rehearsed" } } });
			for (let step = upTo + 2; step <= 10; step++)
				expect(rig.rehearsal.hold({ step, id: `s${step}`, tick: rig.line.now(), ttlMs: 400 })).toMatchObject({ fault: { facts: { why: "step-locked" } } });
			await rig.turns(3_000, heard);
			expect(rig.kinds).toEqual(["off"]);
			expect(rig.watched.poses).toEqual([]);
		}
		const walks = await RehearsalRig.onBoard(planOf("fnk0052"), real(9));
		await walks.turns(1_600, () => walks.loop.heard());
		expect(walks.loop.arm(walks.loop.mover.armEpoch).ok).toBe(true);
	});

	test("HARM-145 only the leg that a step names gets a pulse; the bus scan gives none", async () => {
		await onlyNamedLegs(await RehearsalRig.onBoard(planOf("fnk0052"), real(1)));
	});

	test("HARM-145 a weak battery, a no, and a servo chip without power are steps that failed", async () => {
		const weak = await RehearsalRig.onBoard(planOf("fnk0052"), real(9));
		expect(await weak.step(3, { answers: () => ({ servoMv: 6_700 }) })).toMatchObject({ outcome: "failed", measured: { servoMv: 6_700 } });
		expect(weak.rehearsal.state()).toMatchObject({ upTo: 2, mayWalk: false });
		const no = await RehearsalRig.onBoard();
		expect(await no.step(1, { answers: () => ({ yes: false }) })).toMatchObject({ outcome: "failed" });
		const chips = await RehearsalRig.onBoard(planOf("fnk0052"), real(1));
		const record = await chips.step(2, {
			each: () => {
				if (chips.loop.mover.kind === "armed") for (const chip of chips.line.board.chips.values()) chip.powered = false;
			},
		});
		expect(record).toMatchObject({ outcome: "failed" });
		expect(record.said).toContain("fault");
	});

	test("HARM-150 the other firmware of the same board was never rehearsed", async () => {
		const other = rehearsedFile(planOf("fnk0052"), { simulated: false, firmware: "0011223344556677" }, 10);
		const rig = await RehearsalRig.onBoard(planOf("fnk0052"), other);
		expect(rig.rehearsal.state()).toMatchObject({ upTo: 0, mayWalk: false });
		const simulated = await RehearsalRig.onBoard(planOf("fnk0052"), rehearsedFile(planOf("fnk0052"), { simulated: true, firmware: FIRMWARE }, 10));
		expect(simulated.rehearsal.state()).toMatchObject({ upTo: 0, mayWalk: false });
	});
});
