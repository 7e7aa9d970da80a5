// Shows at which voltage of which pack each battery row begins and ends, and that only what lasts a second counts.
import { describe, expect, test } from "vitest";
import { NOTHING_SENSED, type Sensed, sense } from "../../agents/robot/sensed.ts";
import type { SeenCause } from "../../edge/machines/safe-stop-state.ts";
import type { DriverStatus } from "../../firmware-bridge/drivers/driver.ts";
import { MODELS, planOf } from "./plans.ts";

const TURN_MS = 20;
const WELL_MV = 8_000;

const said = (servoMv: number | undefined, boardMv: number | undefined): DriverStatus => ({
	kind: "on",
	board: "leg-board",
	simulated: false,
	fault: undefined,
	faultDetail: "",
	firmware: undefined,
	poweredGroups: 3,
	sensors: { ...(servoMv === undefined ? {} : { servoMv }), ...(boardMv === undefined ? {} : { boardMv }) },
});

const sensedFor = (before: Sensed, driver: DriverStatus, forMs: number, model: (typeof MODELS)[number] = "fnk0052"): Sensed => {
	let sensed = before;
	for (let passedMs = 0; passedMs < forMs; passedMs += TURN_MS) sensed = sense(planOf(model), sensed, driver, false, TURN_MS);
	return sensed;
};

const ROWS: readonly (readonly [SeenCause, number])[] = [
	["battery-warn", 7_000],
	["battery-weak", 6_800],
	["battery-low", 6_600],
	["battery-empty", 6_000],
];

describe("HARM-163 the rows of the batteries", () => {
	test.each(MODELS.flatMap((model) => ROWS.map(([cause, limitMv]) => [model, cause, limitMv] as const)))(
		"%s, %s: below %i mV of either pack, until 100 mV over it; a pack that says nothing says nothing",
		(model, cause, limitMv) => {
			const is = (servoMv: number | undefined, boardMv: number | undefined, before = NOTHING_SENSED): boolean | undefined =>
				sense(planOf(model), before, said(servoMv, boardMv), false, TURN_MS).causes[cause];
			expect([is(limitMv, WELL_MV), is(limitMv - 1, WELL_MV), is(WELL_MV, limitMv - 1), is(WELL_MV, limitMv)]).toEqual([false, true, true, false]);
			expect([is(limitMv - 1, undefined), is(undefined, limitMv - 1), is(undefined, undefined)]).toEqual([true, true, false]);
			const low = sensedFor(NOTHING_SENSED, said(limitMv - 1, WELL_MV), TURN_MS, model);
			expect(sensedFor(low, said(limitMv + 99, WELL_MV), 20_000, model).causes[cause]).toBe(true);
			expect(sensedFor(low, said(limitMv + 101, WELL_MV), 20_000, model).causes[cause]).toBe(false);
		},
	);

	test("each pack is filtered over a second: half of the way down after 0.7 s, nothing after a turn", () => {
		const well = sensedFor(NOTHING_SENSED, said(WELL_MV, WELL_MV), TURN_MS);
		expect(sensedFor(well, said(5_000, WELL_MV), TURN_MS).causes["battery-warn"]).toBe(false);
		expect(sensedFor(well, said(WELL_MV, 5_000), TURN_MS).causes["battery-warn"]).toBe(false);
		for (const driver of [said(5_000, WELL_MV), said(WELL_MV, 5_000)]) {
			const { servoMv = 0, boardMv = 0 } = sensedFor(well, driver, 700);
			expect(Math.min(servoMv, boardMv)).toBeGreaterThan(6_300);
			expect(Math.min(servoMv, boardMv)).toBeLessThan(6_700);
		}
	});
});
