// Decides how a stop is drawn: pulses of the six femurs as they came out of the servo chips, over time, with what was done to the robot and what it said of itself.
import type { RobotPlan } from "../../firmware-bridge/body/plan.ts";
import type { BoardSaid, Sighting } from "./robot-stage.ts";

/** What of a stage is drawn. */
export interface Recorded {
	readonly said: readonly BoardSaid[];
	readonly sightings: readonly Sighting[];
	readonly marks: readonly { readonly seenMs: number; readonly what: "cut" | "killed" }[];
}

const WIDTH = 1_000;
const LEFT = 70;
const RIGHT = 20;
const ROW = 34;
const HEAD = 64;
const FOOT = 34;
const PANEL = HEAD + 6 * ROW + FOOT;
const CHIP_OF_LOW_CHANNELS = 0x41;
const CHIP_OF_HIGH_CHANNELS = 0x40;
const CHANNELS = 16;
const TITLES = { cut: "The link is cut in mid-stride", killed: "Whoever moves it is killed in mid-stride" } as const;
const COLOURS = ["#0072b2", "#d55e00", "#0072b2", "#d55e00", "#0072b2", "#d55e00"] as const;
const WINDOW_MS = { cut: { before: 2_000, after: 9_000 }, killed: { before: 2_000, after: 3_000 } } as const;

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const text = (x: number, y: number, words: string, more = ""): string => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(words)}</text>`;

interface Span {
	readonly fromMs: number;
	readonly toMs: number;
	readonly x: (seenMs: number) => number;
}

/** Pulses of one channel: held from change to change, 0 without outputs. */
const trace = (said: readonly BoardSaid[], channel: number, { fromMs, toMs }: Span): readonly (readonly [seenMs: number, pulseUs: number])[] => {
	const address = channel < CHANNELS ? CHIP_OF_LOW_CHANNELS : CHIP_OF_HIGH_CHANNELS;
	const points: [number, number][] = [];
	let [pulseUs, isOn] = [0, false];
	for (const { event, seenMs, on, ...pulses } of said) {
		if (seenMs > toMs) break;
		if (event === "outputs") isOn = on === true;
		else if (event === "pulses" && pulses.address === address) pulseUs = pulses.pulsesUs?.[channel % CHANNELS] ?? 0;
		else continue;
		if (seenMs < fromMs) points.length = 0;
		points.push([Math.max(fromMs, seenMs), isOn ? pulseUs : 0]);
	}
	const last = points.at(-1)?.[1] ?? 0;
	return [...points, [toMs, last]];
};

const leg = (number: number, points: ReturnType<typeof trace>, span: Span, top: number): string => {
	const powered = points.map(([, pulseUs]) => pulseUs).filter((pulseUs) => pulseUs > 0);
	const [least, most] = [Math.min(...powered, 1_500), Math.max(...powered, 1_501)];
	const base = top + ROW - 6;
	const y = (pulseUs: number): number => (pulseUs === 0 ? base : base - 6 - ((pulseUs - least) / (most - least)) * (ROW - 14));
	const steps = points.map(([seenMs, pulseUs], at) => `${at === 0 ? "M" : "H"}${span.x(seenMs).toFixed(1)}${at === 0 ? " " : "V"}${y(pulseUs).toFixed(1)}`);
	return `${text(LEFT - 8, base - 8, `leg ${number}`, 'text-anchor="end"')}<path d="M${LEFT} ${base}H${WIDTH - RIGHT}" stroke="#ddd"/><path d="${steps.join("")}" fill="none" stroke="${COLOURS[number - 1]}" stroke-width="1.4"/>`;
};

/** Where what it says of itself changes. */
const states = (sightings: readonly Sighting[], span: Span, top: number): string => {
	let before = "";
	let at = 0;
	return sightings
		.filter(({ seenMs }) => seenMs >= span.fromMs && seenMs <= span.toMs)
		.map(({ seenMs, state: { state } }) => {
			if (state === before) return "";
			before = state;
			const x = span.x(seenMs);
			at += 1;
			return `<path d="M${x.toFixed(1)} ${top + 34}V${top + PANEL - FOOT}" stroke="#bbb" stroke-dasharray="2 3"/>${text(x + 3, top + 44 + (at % 2) * 12, state, 'fill="#555"')}`;
		})
		.join("");
};

const panel = (plan: RobotPlan, recorded: Recorded, what: "cut" | "killed", top: number): string => {
	const mark = recorded.marks.findLast((one) => one.what === what);
	if (mark === undefined) return "";
	const { before, after } = WINDOW_MS[what];
	const [fromMs, toMs] = [mark.seenMs - before, mark.seenMs + after];
	const x = (seenMs: number): number => LEFT + ((seenMs - fromMs) / (toMs - fromMs)) * (WIDTH - LEFT - RIGHT);
	const span: Span = { fromMs, toMs, x };
	const off = recorded.said.find(({ event, on, seenMs }) => event === "outputs" && on === false && seenMs > mark.seenMs);
	const line = (seenMs: number, colour: string, words: string): string =>
		`<path d="M${x(seenMs).toFixed(1)} ${top + 30}V${top + PANEL - FOOT}" stroke="${colour}" stroke-width="2"/>${text(x(seenMs), top + PANEL - FOOT + 28, words, `fill="${colour}" text-anchor="middle" font-weight="bold"`)}`;
	const seconds = Array.from({ length: Math.floor((before + after) / 1_000) + 1 }, (_, index) => index * 1_000 - before)
		.map((ms) => text(x(mark.seenMs + ms), top + PANEL - FOOT + 14, `${ms / 1_000} s`, 'text-anchor="middle" fill="#777"'))
		.join("");
	const legs = plan.legs
		.map(({ number, servos }) => leg(number, trace(recorded.said, servos.femur.channel, span), span, top + HEAD + (number - 1) * ROW))
		.join("");
	const ended = off === undefined || off.seenMs > toMs ? "" : line(off.seenMs, "#555", "outputs off");
	return `${text(LEFT, top + 20, TITLES[what], 'font-size="15" font-weight="bold"')}${states(recorded.sightings, span, top)}${legs}${seconds}${line(mark.seenMs, "#c00", what)}${ended}`;
};

export const drawStops = (plan: RobotPlan, recorded: Recorded): string => {
	const height = 2 * PANEL + 60;
	const about = "Femur pulses of an emulated leg board that runs the shipped firmware; time as this machine's clock had it. Simulated: no robot moved.";
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>${panel(plan, recorded, "cut", 0)}${panel(plan, recorded, "killed", PANEL + 20)}${text(LEFT, height - 12, about, 'fill="#777"')}</svg>\n`;
};
