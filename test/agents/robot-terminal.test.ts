// Shows what a person has of `orion robot` at a terminal, over the real loop of a calculated robot: poses, looks, and walking that ends with the key.
import { afterEach, describe, expect, test } from "vitest";
import { type Held, type Walker, walkByKeys } from "../../agents/cli/robot.ts";
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
