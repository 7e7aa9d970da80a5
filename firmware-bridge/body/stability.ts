// Decides how far inside its standing feet a robot's centre of mass is: below zero it falls, near zero a push is enough.

export interface Spot {
	readonly x: number;
	readonly y: number;
}

const turn = (a: Spot, b: Spot, c: Spot): number => (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);

const halfHull = (spots: readonly Spot[]): Spot[] => {
	const hull: Spot[] = [];
	for (const spot of spots) {
		for (;;) {
			const [before, last] = hull.slice(-2);
			if (before === undefined || last === undefined || turn(before, last, spot) > 0) break;
			hull.pop();
		}
		hull.push(spot);
	}
	return hull.slice(0, -1);
};

/** Counter-clockwise corners of the area that the spots span. */
const hullOf = (spots: readonly Spot[]): readonly Spot[] => {
	const sorted = [...spots].sort((a, b) => a.x - b.x || a.y - b.y);
	return [...halfHull(sorted), ...halfHull([...sorted].reverse())];
};

/** Distance of the spot to the nearest edge, positive inside; minus infinity when the feet span no area. */
export const marginInside = (feet: readonly Spot[], spot: Spot): number => {
	const hull = hullOf(feet);
	if (hull.length < 3) return Number.NEGATIVE_INFINITY;
	return Math.min(
		...hull.map((corner, at) => {
			const next = hull[(at + 1) % hull.length] ?? corner;
			return turn(corner, next, spot) / Math.hypot(next.x - corner.x, next.y - corner.y);
		}),
	);
};

/** Where the centre of mass stands on the floor when down is not straight down: `down` from the tilt sensor, in the ground's frame. */
export const shadowOf = (
	centre: { readonly x: number; readonly y: number; readonly z: number },
	down: { readonly x: number; readonly y: number; readonly z: number },
): Spot => {
	const along = down.z < 0 ? centre.z / -down.z : 0;
	return { x: centre.x + along * down.x, y: centre.y + along * down.y };
};
