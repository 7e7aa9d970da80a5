// Decides on which feet a body stands, however it leans: on the plane below all of them over which its centre of mass is best carried.
import type { Vec } from "./plan.ts";
import { marginInside } from "./stability.ts";

export interface Footing {
	/** By foot; a foot that does not hold carries nothing. */
	readonly contact: readonly boolean[];
	/** Unit vector out of the floor, in the body's frame. */
	readonly up: Vec;
	/** Of the body's origin over the floor. */
	readonly heightMm: number;
	/** Of the centre of mass inside the feet that carry; negative: it tips. */
	readonly marginMm: number;
}

const dot = (a: Vec, b: Vec): number => a.x * b.x + a.y * b.y + a.z * b.z;
const less = (a: Vec, b: Vec): Vec => ({ x: a.x - b.x, y: a.y - b.y, z: a.z - b.z });

/** Upwards; undefined for three feet in a line, or over each other. */
const normalOf = (a: Vec, b: Vec, c: Vec): Vec | undefined => {
	const [u, v] = [less(b, a), less(c, a)];
	const cross = { x: u.y * v.z - u.z * v.y, y: u.z * v.x - u.x * v.z, z: u.x * v.y - u.y * v.x };
	const length = Math.hypot(cross.x, cross.y, cross.z) * Math.sign(cross.z);
	return length === 0 ? undefined : { x: cross.x / length, y: cross.y / length, z: cross.z / length };
};

/** Feet may be this far below a plane by rounding alone. */
const BELOW_MM = 1e-6;

const footingOn = (feet: readonly Vec[], holding: readonly boolean[], centre: Vec, three: readonly [Vec, Vec, Vec], withinMm: number): Footing | undefined => {
	const up = normalOf(...three);
	if (up === undefined) return undefined;
	const overMm = feet.map((foot) => dot(up, less(foot, three[0])));
	if (overMm.some((over, foot) => holding[foot] === true && over < -BELOW_MM)) return undefined;
	const contact = overMm.map((over, foot) => holding[foot] === true && over <= withinMm);
	const centreMm = dot(up, less(centre, three[0]));
	const shadow = less(centre, { x: up.x * centreMm, y: up.y * centreMm, z: up.z * centreMm });
	const marginMm = marginInside(
		feet.filter((_, foot) => contact[foot]),
		shadow,
	);
	return { contact, up, heightMm: -dot(up, three[0]), marginMm };
};

/** All in the body's frame; feet within `withinMm` of the floor carry. undefined: fewer than three feet that hold, or all in a line. */
export const footingOf = (feet: readonly Vec[], holding: readonly boolean[], centre: Vec, withinMm: number): Footing | undefined => {
	const held = feet.filter((_, foot) => holding[foot]);
	let best: Footing | undefined;
	for (const [first, a] of held.entries())
		for (const [second, b] of held.entries())
			for (const c of first < second ? held.slice(second + 1) : []) {
				const found = footingOn(feet, holding, centre, [a, b, c], withinMm);
				if (found !== undefined && (best === undefined || found.marginMm > best.marginMm)) best = found;
			}
	return best;
};
