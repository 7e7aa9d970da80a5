// Shows what a person has of `orion robot` at a terminal, over the real loop of a calculated robot: poses, looks, and walking that ends with the key.
import { afterEach, describe, expect, test } from "vitest";
import { type Held, type Walker, walkByKeys } from "../../agents/cli/robot.ts";
import { drawRobot } from "../../agents/cli/robot-view.ts";
import { Session } from "../../agents/cli/session.ts";
import type { RobotState } from "../../agents/robot/words.ts";
import { hostOf } from "../cli/host.ts";
import { until } from "../support/mesh.ts";
import { type RobotHere, robotHere } from "../support/robot-here.ts";

let open: RobotHere[] = [];
afterEach(async () => {
	for (const one of open) await one.close();
	open = [];
});
const robot = async (): Promise<RobotHere> => {
	const one = await robotHere();
	open.push(one);
	return one;
};

describe("HARM-164 orion robot pose", () => {
	test("comes there and lets go; what is not named is straight again; it walks nowhere", async () => {
		const { done, status } = await robot();
		const { out } = await done(["pose", "--x", "12", "--height", "72", "--pitch", "-5", "--json"]);
		const posed = JSON.parse(out) as RobotState;
		expect(posed).toMatchObject({
			schema: "orion.robot/1",
			state: "armed",
			simulated: true,
			heightMm: 72,
			body: { xMm: 12, yMm: 0, pitchDegrees: -5, rollDegrees: 0 },
		});
		expect((await status()).travelled).toMatchObject({ xMm: 0, yMm: 0, pathMm: 0 });
		await done(["pose"]);
		expect(await status()).toMatchObject({ body: { xMm: 0, yMm: 0, rollDegrees: 0, pitchDegrees: 0, yawDegrees: 0 } });
	});

	test("past its limits, or while it is off: refused with exit 5, and nothing moves", async () => {
		const { run, ready, status } = await robot();
		expect(await run(["pose", "--yaw", "5"])).toMatchObject({ code: 5 });
		expect((await status()).driver.state).toBe("off");
		const { body } = await ready();
		const { code, err } = await run(["pose", "--yaw", "40"]);
		expect([code, (await status()).body]).toEqual([5, body]);
		expect(err).toContain("yawDegrees");
		expect(await run(["pose", "--yaw", "left"])).toMatchObject({ code: 2 });
	});
});

describe("TELL-58 orion robot look", () => {
	test("says what its range finder says there, that it is simulated, and looks ahead again", async () => {
		const { done, status } = await robot();
		const { out } = await done(["look", "--json"]);
		expect(JSON.parse(out)).toEqual({
			schema: "orion.robot-look/1",
			simulated: true,
			looked: [8, 0, -8].map((yawDegrees) => ({ yawDegrees, pitchDegrees: 0, rangeMm: 800 })),
		});
		expect(await status()).toMatchObject({ body: { yawDegrees: 0, pitchDegrees: 0 }, travelled: { pathMm: 0 } });
		expect((await done(["look", "--right", "5", "--up", "4"])).out).toBe("5 degrees right 4 degrees up: 800 mm, simulated\n");
	});

	test("what is not measured is absent; two directions at once are none", async () => {
		const { done, driver, run } = await robot();
		driver.faults = { ...driver.faults, rangeMm: undefined };
		expect((await done(["look", "--left", "4", "--json"])).out).toContain('"rangeMm":null');
		expect(await run(["look", "--left", "4", "--right", "4"])).toMatchObject({ code: 2 });
	});
});

/** A robot that only counts what is asked of it. */
class Counted implements Walker {
	readonly asked: string[] = [];
	#say(what: string): Promise<Held> {
		this.asked.push(what);
		return Promise.resolve({ state: what, detail: "" });
	}
	renew = ({ yMm }: { readonly yMm: number }): Promise<Held> => this.#say(`renew ${yMm}`);
	end = (): Promise<Held> => this.#say("end");
	look = (): Promise<Held> => this.#say("look");
}

describe("HARM-165 hold-to-move at the terminal", () => {
	const keyboard = () => {
		let press: (key: string) => void = () => undefined;
		const host = hostOf({
			keys: (listen) => {
				press = listen;
				return () => undefined;
			},
		});
		/** As a held key repeats, until what it is held for has begun. */
		const holdDown = async (key: string, begun: () => boolean): Promise<void> => {
			const repeats = setInterval(() => press(key), 30);
			try {
				await until(`${key} is heard`, () => (begun() ? true : undefined));
			} finally {
				clearInterval(repeats);
			}
		};
		return { session: new Session(host.host, {}), press: (key: string) => press(key), holdDown };
	};

	test("the key is released: the lease is given back once, and nothing is asked for until a key is held again", async () => {
		const { session, press, holdDown } = keyboard();
		const walker = new Counted();
		const left = walkByKeys(session, walker, () => Promise.resolve());
		await until("it looks", () => (walker.asked.includes("look") ? true : undefined));
		await holdDown("w", () => walker.asked.includes("renew 40"));
		await until("it is given back", () => (walker.asked.includes("end") ? true : undefined));
		const ended = walker.asked.length;
		await until("it only looks", () => (walker.asked.length > ended + 5 ? true : undefined));
		expect(new Set(walker.asked.slice(ended))).toEqual(new Set(["look"]));
		await holdDown("s", () => walker.asked.includes("renew -40"));
		press("x");
		expect(await left).toBe(0);
		expect(walker.asked.at(-1)).toBe("end");
		expect(walker.asked.filter((what) => what === "end")).toHaveLength(2);
	});

	test("space stops it at once, whatever was held", async () => {
		const { session, press } = keyboard();
		const walker = new Counted();
		let stops = 0;
		const left = walkByKeys(session, walker, () => {
			stops += 1;
			return Promise.resolve();
		});
		await until("it looks", () => (walker.asked.includes("look") ? true : undefined));
		press("w");
		press(" ");
		expect(stops).toBe(1);
		const pressed = walker.asked.length;
		await until("some rounds", () => (walker.asked.length > pressed + 5 ? true : undefined));
		expect(walker.asked.slice(pressed).filter((what) => what.startsWith("renew"))).toHaveLength(0);
		press("x");
		await left;
	});
});

describe("TELL-59 orion robot view", () => {
	test("draws the robot as it is now, from above and from the side, until Ctrl-C; --json is the same as data, at a terminal too", async () => {
		const { run, ready, status } = await robot();
		const leave = new AbortController();
		const pictures: string[] = [];
		const viewed = run(["view"], { outIsTty: true, interrupted: leave.signal, onOut: (text) => pictures.push(text) });
		const drawn = (what: string): Promise<string> => until(what, () => (pictures.at(-1)?.includes(what) === true ? pictures.at(-1) : undefined));
		await drawn("state    off");
		await ready();
		const picture = await drawn("state    armed");
		leave.abort();
		expect((await viewed).code).toBe(0);
		const lines = picture.replace("\u001b[H\u001b[2J", "").split("\n");
		expect(lines.filter((line) => line.length > 80)).toEqual([]);
		expect(lines.slice(0, 13).join("")).toContain("fnk0052, SIMULATED");
		// All six feet, from above and from the side, and the body between them.
		for (const part of [lines.slice(0, 13).map((line) => line.slice(0, 37)), lines.slice(13)]) {
			const found = new Set(part.join("").match(/[1-6]/g));
			expect(found.size).toBeGreaterThanOrEqual(3);
		}
		expect(lines.slice(13).join("\n")).toContain("=============>");
		const now = await status();
		const { code, out, err } = await run(["view", "--json"], { outIsTty: true });
		expect([code, err]).toEqual([0, ""]);
		const { schema, state, feet, body, heightMm } = JSON.parse(out) as RobotState;
		expect({ schema, state, feet, body, heightMm }).toEqual({ schema: now.schema, state: "armed", feet: now.feet, body: now.body, heightMm: now.heightMm });
	});

	test("each foot stands where it stands, a raised one is raised, what is not known is said, and a warning is seen", async () => {
		const { ready } = await robot();
		const state = await ready();
		const raised: RobotState = {
			...state,
			servoMv: null,
			warnings: [{ row: "battery-warn", says: "a battery wants charging" }],
			feet: state.feet.map((foot, leg) => (leg === 4 ? { ...foot, zMm: 60, standing: false } : foot)),
		};
		const lines = drawRobot(raised);
		const above = lines.slice(0, 13).map((line) => line.slice(0, 37));
		const at = (letter: string): readonly [row: number, column: number] => {
			const row = above.findIndex((line) => line.includes(letter));
			return [row, above[row]?.indexOf(letter) ?? -1];
		};
		// x right, y forward: leg 1 right in front, 3 right behind, 4 left behind, 6 left in front; 5, left in the middle, is raised.
		expect(at("1")[1]).toBeGreaterThan(18);
		expect(at("6")[1]).toBeLessThan(18);
		expect(at("1")[0]).toBe(at("6")[0]);
		expect(at("1")[0]).toBeLessThan(at("3")[0]);
		expect(at("3")[0]).toBe(at("4")[0]);
		expect(at("5")).toEqual([-1, -1]);
		expect(at("o")[0]).toBe(at("2")[0]);
		const side = lines.slice(13);
		const rowOf = (letter: string): number => side.findIndex((line) => line.includes(letter));
		// From the side one leg of each pair hides the other.
		expect(rowOf("o")).toBeLessThan(rowOf("2"));
		expect(rowOf("o")).toBeGreaterThanOrEqual(0);
		expect(rowOf("6")).toBe(rowOf("4"));
		expect(lines.join("\n")).toContain("battery  not known");
		expect(lines.join("\n")).toContain("warning  a battery wants charging");
		expect(lines.filter((line) => line.length > 80)).toEqual([]);
	});
});
