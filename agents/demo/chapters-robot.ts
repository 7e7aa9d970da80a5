// Decides the demo's story of a robot that stops: it walks under a lease, its link slows and is cut, whoever moves it is killed, a person lets it go on.
import type { RobotState } from "../robot/words.ts";
import { type RobotStage, STRIDE_MM, TTL_MS } from "./robot-stage.ts";
import type { Chapter, Teller } from "./story.ts";

/** Of the tripod gait, at full phase: a stride in the time that a foot stands. */
export interface RobotPace {
	readonly periodMs: number;
	readonly dutyRatio: number;
}

const AFTER_LEASE_MS = 45;
const LATE_MS = 200;
const BOARD_LEASE_MS = 200;
const BOARD_FREEZE_MS = 2_000;
/** A pose that is being written is finished. */
const POSE_MS = 5;
const ATTEMPTS = 5;

const sayState = ({ state, cause }: RobotState): string => `${state}${cause === null ? "" : ` (${cause})`}`;

const walks: Chapter<RobotStage> = {
	id: "robot-walks",
	title: "A hexapod walks: the shipped firmware in an emulated chip, moved by the real actuator, all of it simulated",
	tell: async (stage, teller) => {
		const { firmware = "" } = stage.said[0] as { readonly firmware?: string };
		teller.say(`the board says that it runs firmware ${firmware}; outputs are off`);
		const began = await stage.status();
		teller.check(began.simulated, "what it says is marked simulated");
		await stage.ready();
		teller.check(
			stage.said.some(({ event, on }) => event === "outputs" && on === true),
			"outputs are on after a person's word",
		);
		teller.say("a person says arm: it stands up from its belly, legs powered in three groups");
		const { travelled } = await stage.walk(100);
		teller.figure("walkedMm", travelled.pathMm);
		teller.say(`under a lease of ${TTL_MS} ms, renewed ten times a second, it walks: ${Math.round(travelled.pathMm)} mm`);
	},
};

/** Holds for want of a lease; false: this machine was so busy that something else stopped it first. */
const cutOnce = async (stage: RobotStage, teller: Teller, { periodMs, dutyRatio }: RobotPace): Promise<boolean> => {
	await stage.walk(80);
	const slowed = await stage.walk(60, LATE_MS);
	teller.say(`the link slows by ${LATE_MS} ms: every renewal is worth less, and it still walks`);
	const cut = slowed;
	const beganMs = performance.now();
	stage.marks.push({ seenMs: beganMs, what: "cut" });
	let state = slowed;
	const kindNow = (): string => state.state;
	await stage.until("it stops", async () => {
		state = await stage.status();
		return state.state !== "moving";
	});
	if (kindNow() !== "hold" || state.cause === null || !state.cause.includes("lease")) return false;
	const wentMm = state.travelled.pathMm - cut.travelled.pathMm;
	const mayMm = (STRIDE_MM / (periodMs * dutyRatio)) * (TTL_MS + AFTER_LEASE_MS);
	const heldMs = Math.round(performance.now() - beganMs);
	teller.say(`the link is cut in mid-stride; ${heldMs} ms later it is frozen: ${sayState(state)}`);
	teller.figure("heldMs", heldMs);
	teller.figure("afterCutMm", Number(wentMm.toFixed(1)));
	teller.figure("afterCutMaxMm", Number(mayMm.toFixed(1)));
	teller.say(`told to go ${wentMm.toFixed(1)} mm after the cut; its speed x (${TTL_MS} + ${AFTER_LEASE_MS} ms) allows ${mayMm.toFixed(1)} mm`);
	teller.check(wentMm <= mayMm, "it goes no further than its speed allows in ttl + 45 ms");
	const seen: string[] = [];
	await stage.until("it is off", async () => {
		state = await stage.status();
		if (seen.at(-1) !== state.state) {
			seen.push(state.state);
			if (state.state !== "hold") teller.say(`${Math.round(performance.now() - beganMs)} ms after the cut: ${state.state}`);
		}
		return state.state === "off" || state.state === "fault";
	});
	return kindNow() === "off";
};

const cutChapter = (pace: RobotPace): Chapter<RobotStage> => ({
	id: "robot-cut",
	title: "Its link slows and is cut in mid-stride: it freezes, sits down and is off",
	tell: async (stage, teller) => {
		for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
			if (await cutOnce(stage, teller, pace)) return;
			teller.say("this machine kept a turn back for so long that the robot stopped by itself, as it should; once more");
		}
		teller.check(false, "it holds because nobody held the lease any more");
	},
});

const dead: Chapter<RobotStage> = {
	id: "robot-dead",
	title: "Whoever moves it is killed in mid-stride: the firmware freezes it, then takes its power",
	tell: async (stage, teller) => {
		await stage.walk(80);
		const from = stage.said.length;
		stage.marks.push({ seenMs: performance.now(), what: "killed" });
		await stage.killActuator();
		await stage.until("the board takes its power", () => stage.said.slice(from).some(({ event, on }) => event === "outputs" && on === false));
		const since = stage.said.slice(from);
		const off = since.find(({ event, on }) => event === "outputs" && on === false);
		if (off === undefined) throw new Error("no end of outputs");
		const moved = since.filter(({ event, pulsesUs }) => event === "pulses" && pulsesUs?.some((pulseUs) => pulseUs > 0)).at(-1);
		const frozenMs = Math.max(0, (moved?.atMs ?? off.heardMs) - off.heardMs);
		const offMs = off.atMs - off.heardMs;
		teller.figure("deadFrozenMs", Number(frozenMs.toFixed(1)));
		teller.figure("deadOffMs", Number(offMs.toFixed(1)));
		teller.say(
			`kill -9: by the board's own clock the last pulse changed ${frozenMs.toFixed(1)} ms after its last byte, and outputs were off after ${offMs.toFixed(1)} ms`,
		);
		teller.check(frozenMs <= BOARD_LEASE_MS + POSE_MS, "no pulse changes after the board's lease");
		teller.check(offMs <= BOARD_LEASE_MS + BOARD_FREEZE_MS + 1, "outputs are off after lease and freeze time");
	},
};

const again: Chapter<RobotStage> = {
	id: "robot-again",
	title: "It is at fault until a person was there; then it walks again",
	tell: async (stage, teller) => {
		await stage.startActuator();
		let found = await stage.status();
		await stage.until("it has looked at its board", async () => {
			found = await stage.status();
			return found.state !== "boot";
		});
		teller.say(`its process starts again and finds that it was armed: ${sayState(found)}`);
		teller.check(found.state === "fault", "it begins at fault");
		const refused = await stage.ask({ verb: "arm", armEpoch: found.armEpoch }).then(
			() => false,
			() => true,
		);
		teller.check(refused && (await stage.status()).state === "fault", "it cannot be armed before a person was there");
		teller.say("armed without anybody there: refused");
		await stage.until("it is released", async () => (await stage.ask({ verb: "release" }).catch(() => stage.status())).state === "off");
		teller.say("a person at the robot releases it: off, and nothing more");
		const { travelled } = await stage.walk(80);
		teller.say(`armed, and under a new lease, it walks again: ${Math.round(travelled.pathMm)} mm`);
		await stage.until("it sits and is off", async () => {
			const { state } = await stage.status();
			if (state === "armed" || state === "hold" || state === "moving") await stage.ask({ verb: "sit" }).catch(() => undefined);
			return state === "off" || state === "fault";
		});
		teller.say("sit: down, and off");
	},
};

export const robotChapters = (pace: RobotPace): readonly Chapter<RobotStage>[] => [walks, cutChapter(pace), dead, again];
