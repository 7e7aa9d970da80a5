// Decides what a bench's gadgets mean: how far a range finder sees by its volts, whether that is near, and when a lamp is lit.

export type RangeSensor = "GP2Y0A21YK" | "MB1000";

/** `inside`: nearer than the sensor can tell how near; `beyond`: farther than it sees. */
export type Distance = { readonly kind: "mm"; readonly mm: number } | { readonly kind: "inside" } | { readonly kind: "beyond" };

const RAW_MAX = 1_023;
const SUPPLY_VOLTS = 5;
/** Near ends this much farther away than it began, so that a hand that trembles is one hand. */
const FAR_RATIO = 1.1;

/** Typical volts of a Sharp GP2Y0A21YK at each distance, nearest first; single ones differ by a tenth. */
const SHARP: readonly (readonly [volts: number, mm: number])[] = [
	[2.3, 100],
	[1.65, 150],
	[1.3, 200],
	[0.92, 300],
	[0.74, 400],
	[0.61, 500],
	[0.51, 600],
	[0.45, 700],
	[0.4, 800],
];

const sharpDistance = (volts: number): Distance => {
	if (volts > (SHARP[0]?.[0] ?? 0)) return { kind: "inside" };
	const at = SHARP.findIndex(([pointVolts]) => pointVolts <= volts);
	const [far, near] = [SHARP[at], SHARP[Math.max(0, at - 1)]];
	if (far === undefined || near === undefined) return { kind: "beyond" };
	// Between two points its volts are nearly a straight line over one divided by the distance.
	const ratio = near[0] === far[0] ? 0 : (volts - far[0]) / (near[0] - far[0]);
	return { kind: "mm", mm: Math.round(1 / (1 / far[1] + ratio * (1 / near[1] - 1 / far[1]))) };
};

/** One inch is a 512th of the supply, and two steps of the converter; it sees from 6 to 254 inches. */
const soundDistance = (raw: number): Distance => {
	const inches = raw / 2;
	if (inches < 6) return { kind: "inside" };
	return inches > 254 ? { kind: "beyond" } : { kind: "mm", mm: Math.round(inches * 25.4) };
};

/** Steps of a ten-bit converter at 5 V, 0 to 1,023 -> how far it is. */
export const distanceOf = (sensor: RangeSensor, raw: number): Distance =>
	sensor === "MB1000" ? soundDistance(raw) : sharpDistance((raw * SUPPLY_VOLTS) / RAW_MAX);

export type Nearness = "near" | "far";

/** Near from `nearMm` on; far again only a tenth farther away. */
export const nearnessOf = (distance: Distance, nearMm: number, before: Nearness | undefined): Nearness => {
	if (distance.kind !== "mm") return distance.kind === "inside" ? "near" : "far";
	return distance.mm <= (before === "near" ? nearMm * FAR_RATIO : nearMm) ? "near" : "far";
};

export interface Blink {
	readonly litMs: number;
	readonly darkMs: number;
}

/**
 * How a lamp shows the state of its node. Every one of them blinks: a board goes on with what it was told last when its host is gone, so a lamp that stands still,
 * lit or dark, says that nobody is there.
 */
export const blinkOf = (state: string): Blink => {
	if (state === "working") return { litMs: 1_000, darkMs: 1_000 };
	return state === "alone" ? { litMs: 200, darkMs: 200 } : { litMs: 100, darkMs: 900 };
};
