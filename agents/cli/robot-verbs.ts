// Decides which words `orion robot` understands, and what it says about each of them.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { WalkOptions } from "./robot.ts";
import type { CalibrateOptions } from "./robot-calibrate.ts";
import type { FlashOptions } from "./robot-flash.ts";
import type { LookOptions, PoseOptions } from "./robot-pose.ts";
import { type Host, runToEnd, type Session } from "./session.ts";

const SECONDS_MAX = 600;

const parseSeconds = (text: string): number => {
	const seconds = Number(text);
	if (!(seconds > 0 && seconds <= SECONDS_MAX)) throw new InvalidArgumentError(`seconds, more than 0 and at most ${SECONDS_MAX}.`);
	return seconds;
};

/** A number within the widest limits of any robot; its own are tighter, and it says so. */
const within =
	(most: number) =>
	(text: string): number => {
		const value = Number(text);
		if (text.trim() === "" || !(Math.abs(value) <= most)) throw new InvalidArgumentError(`a number, at most ${most} either way.`);
		return value;
	};
const positive =
	(most: number) =>
	(text: string): number => {
		const value = Number(text);
		if (!(value > 0 && value <= most)) throw new InvalidArgumentError(`more than 0 and at most ${most}.`);
		return value;
	};
const DEGREES_MAX = 45;
const LEAN_MM_MAX = 100;
const HEIGHT_MM_MAX = 300;

const BAUDS = [57_600, 115_200] as const;
const parseBaud = (text: string): number => {
	const baud = BAUDS.find((one) => String(one) === text);
	if (baud === undefined) throw new InvalidArgumentError("115200, or 57600 for an old Nano.");
	return baud;
};

const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;

const ONCE = {
	stop: "no new movement, sit, then off; holds until `orion robot release`",
	cut: "outputs off at once: it drops where it stands",
	sit: "sit down, then off",
	resume: "after it held: stand ready again, where it is; whoever wants it to walk asks anew",
} as const;

type Add = <A extends readonly unknown[]>(
	name: string,
	description: string,
	shown: readonly string[],
	work: (session: Session, ...args: A) => Promise<number>,
) => Command;

const STEPS = 10;
const parseStep = (text: string): number => {
	const step = Number(text);
	if (!(Number.isInteger(step) && step >= 1 && step <= STEPS)) throw new InvalidArgumentError(`a step, 1 to ${STEPS}.`);
	return step;
};
const parseMv = (text: string): number => {
	const mv = Number(text);
	if (!(mv > 0 && mv < 20_000)) throw new InvalidArgumentError("millivolts, as 7600.");
	return mv;
};
const oneMore = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

const registerCalibrate = (add: Add): void => {
	add(
		"calibrate",
		"the rehearsal, one step a time: propped, bus, battery, cut, joints, neutral, limits, link-loss, gait, floor; each unlocks the next, and real legs walk after nine. Without a robot named: how far it has come",
		[
			"orion robot calibrate",
			"orion robot calibrate --port /dev/ttyUSB0",
			"orion robot calibrate --socket /run/orion-robot/guard.sock --step 4",
			"orion robot calibrate --port /dev/ttyUSB0 --step 3 --servo-mv 7600",
			"orion robot calibrate --port /dev/ttyUSB0 --step 6 --trim 2.femur=-1.5",
			"orion robot calibrate --port /dev/ttyUSB0 --step 6 --points point.txt",
			"orion robot calibrate --twin --yes",
		],
		async (session, options: CalibrateOptions) => (await import("./robot-calibrate.ts")).calibrateRobot(session, options),
	)
		.option("--step <n>", "1 to 10; default: the next that is unlocked", parseStep)
		.option("--port <device>", "leg board on a serial port")
		.option("--socket <path>", "linux-guard at this socket")
		.option("--board <path>", "an emulated leg board at this socket: simulated")
		.option("--twin", "the calculated robot: simulated")
		.addOption(new Option("--robot-model <model>", "which robot it is").choices(["fnk0052", "fnk0031"]).default("fnk0052"))
		.option("--servo-mv <mv>", "the servo battery, where the board has no voltmeter", parseMv)
		.option("--trim <leg.joint=degrees>", "in step 6, as 2.femur=-1.5; may be repeated", oneMore)
		.option("--points <file>", "in step 6, the trims of the vendor's point.txt")
		.option("--yes", "do not ask before; what must be seen on real legs is asked all the same");
};

const registerFlash = (add: Add): void => {
	add(
		"flash",
		"write the shipped firmware to a leg board, by avrdude: asks first, refuses another chip, and hears from the board that it runs",
		["orion robot flash --port /dev/ttyUSB0 --dry-run", "orion robot flash --port /dev/ttyUSB0"],
		async (session, options: FlashOptions) => (await import("./robot-flash.ts")).flashBoard(session, options),
	)
		.requiredOption("--port <device>", "serial port of the board")
		.option("--baud <rate>", "of its bootloader: 115200, or 57600 for an old Nano", parseBaud, 115_200)
		.option("--avrdude <program>", "the program that writes", "avrdude")
		.option("--avrdude-conf <file>", "its configuration file, where it does not find its own")
		.option("--image <folder>", "with leg-board.hex and leg-board.json, instead of the shipped ones")
		.option("--dry-run", "say what would be run; open nothing")
		.option("--yes", "do not ask");
};

const registerBody = (add: Add): void => {
	add(
		"pose",
		"lean, turn, raise or lower the body over its feet; what is not named is straight",
		["orion robot pose --height 70 --pitch -5", "orion robot pose", "orion robot pose --yaw 8 --node hexa"],
		async (session, options: PoseOptions) => (await import("./robot-pose.ts")).poseRobot(session, options),
	)
		.option("--x <mm>", "to the right over its feet", within(LEAN_MM_MAX))
		.option("--y <mm>", "forward over its feet", within(LEAN_MM_MAX))
		.option("--height <mm>", "of the hips over the floor", positive(HEIGHT_MM_MAX))
		.option("--roll <degrees>", "right side down", within(DEGREES_MAX))
		.option("--pitch <degrees>", "nose up", within(DEGREES_MAX))
		.option("--yaw <degrees>", "to the left", within(DEGREES_MAX))
		.option("--node <node>", "a robot of the mesh instead of this machine's: by a lease that core vouches for");
	add(
		"look",
		"turn the body where it shall look, and say how far away what it sees is; without a direction to both sides and ahead",
		["orion robot look", "orion robot look --left 8", "orion robot look --right 5 --up 4"],
		async (session, options: LookOptions) => (await import("./robot-pose.ts")).lookRobot(session, options),
	)
		.option("--left <degrees>", "to the left", positive(DEGREES_MAX))
		.option("--right <degrees>", "to the right", positive(DEGREES_MAX))
		.option("--up <degrees>", "up", positive(DEGREES_MAX))
		.option("--down <degrees>", "down", positive(DEGREES_MAX));
};

export const registerRobot = (program: Command, host: Host, onExit: (code: number) => void): void => {
	const robot = program
		.command("robot")
		.description("the robot of this machine; no mesh is needed to stop it. This is no certified emergency stop")
		.addHelpText("after", examples("orion robot view", "orion robot arm", "orion robot walk", "orion robot stop"));
	const add: Add = (name, description, shown, work) =>
		robot
			.command(name)
			.description(description)
			.addHelpText("after", examples(...shown))
			.action(async (...args: readonly unknown[]) => {
				const command = args.at(-1) as Command;
				onExit(await runToEnd(host, command, (session) => work(session, ...(args.slice(0, -1) as never))));
			});
	add("status", "what it is doing, and what is in the way", ["orion robot status", "orion robot status --json"], async (session) =>
		(await import("./robot.ts")).showRobot(session),
	);
	add(
		"view",
		"draw it, from above and from the side; Ctrl-C leaves. --json: the same once, as data",
		["orion robot view", "orion robot view --once", "orion robot view --json"],
		async (session, options: { once?: boolean }) => (await import("./robot.ts")).viewRobot(session, options),
	).option("--once", "one picture");
	add("arm", "stand up, from sitting only", ["orion robot arm"], async (session) => (await import("./robot.ts")).armRobot(session));
	for (const what of ["walk", "turn"] as const)
		add(
			what,
			what === "walk" ? "walk while a key is held, or for a time" : "turn while a key is held, or for a time",
			[`orion robot ${what}`, `orion robot ${what} --for 3`, `orion robot ${what} --node hexa`],
			async (session, options: WalkOptions) => (await import("./robot.ts")).walkRobot(session, what, options),
		)
			.option("--node <node>", "a robot of the mesh instead of this machine's: by a lease that core vouches for")
			.addOption(
				new Option("--gait <gait>", "tripod: three legs at a time; ripple: one after the other, slower and steadier")
					.choices(["tripod", "ripple"])
					.default("tripod"),
			)
			.option("--for <seconds>", "without keys: for this long, at most 600", parseSeconds)
			.option(what === "walk" ? "--back" : "--right", what === "walk" ? "backwards" : "to the right");
	for (const verb of ["stop", "cut", "resume"] as const)
		add(verb, ONCE[verb], [`orion robot ${verb}`], async (session) => (await import("./robot.ts")).tellRobot(session, verb));
	add("sit", ONCE.sit, ["orion robot sit", "orion robot sit --node rover"], async (session, { node }: { readonly node?: string }) =>
		node === undefined ? (await import("./robot.ts")).tellRobot(session, "sit") : (await import("./robot-mesh.ts")).sitNode(session, node),
	).option("--node <node>", "a robot of the mesh instead of this machine's, whoever holds it");
	add(
		"release",
		"you stand at the robot, it lies on its belly, and what was wrong is mended",
		["orion robot release", "orion robot release --yes"],
		async (session, options: { yes?: boolean }) => (await import("./robot.ts")).releaseRobot(session, options),
	).option("--yes", "do not ask");
	registerBody(add);
	registerFlash(add);
	registerCalibrate(add);
};
