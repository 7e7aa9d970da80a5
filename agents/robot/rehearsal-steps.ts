// What the ten steps of a rehearsal are called, what each does, and what must be true before it: the words that a person reads.

export interface StepWords {
	readonly name: string;
	readonly does: string;
	/** Outputs are on in it: it lasts while somebody holds it. */
	readonly hasPower: boolean;
	/** Asked before it begins, and never remembered from another step. */
	readonly before: readonly string[];
}

const BLOCK = "the body lies propped on a block and all six feet hang free";
const CLEAR = "nobody's fingers, hair or cables are within reach of the legs";
const SWITCH = "your hand is at the battery switch";

/** Step 1 first. */
const STEP_WORDS: readonly StepWords[] = [
	{ name: "propped", does: "nothing moves: you say that it lies safely", hasPower: false, before: [BLOCK, "servo power is off"] },
	{
		name: "bus",
		does: "switches the outputs on without a single pulse: the servo chips are set up, read back for a second, and switched off",
		hasPower: true,
		before: [BLOCK, CLEAR],
	},
	{
		name: "battery",
		does: "nothing moves: the servo battery is read, or measured by you",
		hasPower: false,
		before: ["the servo battery is charged and connected"],
	},
	{ name: "cut", does: "gives power to leg 1 alone, which takes its sitting pose at once, and cuts it", hasPower: true, before: [BLOCK, CLEAR, SWITCH] },
	{
		name: "joints",
		does: "gives power to all legs, group by group, and moves one joint after the other by 3 degrees and back, at 10 degrees a second",
		hasPower: true,
		before: [BLOCK, CLEAR, SWITCH],
	},
	{
		name: "neutral",
		does: "brings each joint to its neutral angle, one after the other, and lets you trim it: hips straight out, thighs level, shins upright",
		hasPower: true,
		before: [BLOCK, CLEAR, SWITCH],
	},
	{
		name: "limits",
		does: "moves one joint after the other to both of its limits, at 10 degrees a second: a minute for each leg, and you look and rest between them",
		hasPower: true,
		before: [BLOCK, CLEAR, SWITCH, "no leg meets the block or a cable anywhere on its way"],
	},
	{
		name: "link-loss",
		does: "walks slowly in the air; in mid-stride this command falls silent, and the robot must freeze, sit and switch off by itself",
		hasPower: true,
		before: [BLOCK, CLEAR, SWITCH],
	},
	{ name: "gait", does: "walks and turns in the air at half its pace", hasPower: true, before: [BLOCK, CLEAR, SWITCH] },
	{
		name: "floor",
		does: "stands up, walks 150 mm forward at half its pace, and sits down",
		hasPower: true,
		before: ["it lies on its belly on a level floor, one metre clear all around and away from every edge", CLEAR, SWITCH],
	},
];

export const wordsOf = (step: number): StepWords => STEP_WORDS[step - 1] ?? { name: String(step), does: "", hasPower: true, before: [] };
