// Connects the tests to the robots' policy files, and holds a forward calculation written apart from the one under test.
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { checkContract } from "../../contracts/envelope.ts";
import type { PolicyRobot } from "../../contracts/gen/types.ts";
import type { LegAngles } from "../../firmware-bridge/body/leg.ts";
import { type RobotPlan, robotPlan, type Vec } from "../../firmware-bridge/body/plan.ts";

export const MODELS = ["fnk0052", "fnk0031"] as const;
export type Model = (typeof MODELS)[number];

const read = (model: Model): PolicyRobot => {
	const found = checkContract("policy.robot", parse(readFileSync(new URL(`../../policies/robots/${model}.yaml`, import.meta.url), "utf8")));
	if (!found.ok) throw new Error(JSON.stringify(found.fault));
	return found.value;
};

const POLICIES: Readonly<Record<Model, PolicyRobot>> = { fnk0052: read("fnk0052"), fnk0031: read("fnk0031") };
export const policyOf = (model: Model): PolicyRobot => POLICIES[model];

export const planOf = (model: Model): RobotPlan => {
	const plan = robotPlan(policyOf(model));
	if (!plan.ok) throw new Error(JSON.stringify(plan.fault));
	return plan.value;
};

type Matrix = readonly (readonly number[])[];
const times = (a: Matrix, b: Matrix): Matrix =>
	a.map((row) => [0, 1, 2, 3].map((column) => row.reduce((sum, value, at) => sum + value * (b[at]?.[column] ?? 0), 0)));
const move = (x: number, y: number, z: number): Matrix => [
	[1, 0, 0, x],
	[0, 1, 0, y],
	[0, 0, 1, z],
	[0, 0, 0, 1],
];
const about = (axis: "y" | "z", degrees: number): Matrix => {
	const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
	const [zero, one] = [0, 1];
	return axis === "z"
		? [
				[c, -s, zero, zero],
				[s, c, zero, zero],
				[zero, zero, one, zero],
				[zero, zero, zero, one],
			]
		: [
				[c, zero, s, zero],
				[zero, one, zero, zero],
				[-s, zero, c, zero],
				[zero, zero, zero, one],
			];
};

/** Foot in the body's frame by a chain of rigid frames (raising a link is a turn about -y). */
export const footByChain = (policy: PolicyRobot, leg: number, angles: LegAngles): Vec => {
	const plan = policy.legs[leg];
	if (plan === undefined) throw new Error("no such leg");
	const chain = [
		move(plan.mountMm.x, plan.mountMm.y, 0),
		about("z", plan.bearingDegrees + angles.coxa),
		move(policy.linksMm.coxa, 0, 0),
		about("y", -angles.femur),
		move(policy.linksMm.femur, 0, 0),
		about("y", angles.tibia),
		move(policy.linksMm.tibia, 0, 0),
	].reduce(times);
	const [x, y, z] = chain.map((row) => row[3] ?? Number.NaN);
	return { x: x ?? 0, y: y ?? 0, z: z ?? 0 };
};

/** Smallest distance of a point to the lines through neighbouring feet, by trying every pair: no hull algorithm. */
export const marginByPairs = (feet: readonly Vec[], at: { x: number; y: number }): number => {
	let smallest = Number.POSITIVE_INFINITY;
	for (const a of feet) {
		for (const b of feet) {
			if (a === b) continue;
			const length = Math.hypot(b.x - a.x, b.y - a.y);
			const side = (p: { x: number; y: number }): number => ((b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x)) / length;
			if (feet.every((foot) => side(foot) >= -1e-9)) smallest = Math.min(smallest, side(at));
		}
	}
	return smallest === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : smallest;
};
