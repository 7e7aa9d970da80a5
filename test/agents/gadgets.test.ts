// Shows that gadgets say each change once, that what is not known is away and never a guess, and that a board which comes and goes harms nothing (HARM-159, HARM-160).
import { beforeEach, describe, expect, test } from "vitest";
import type { CapabilityContext } from "../../agents/capabilities/capability.ts";
import { gadgetsCapability, gadgetTwice } from "../../agents/capabilities/gadgets.ts";
import { checkContract } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { NodeSafety } from "../../contracts/gen/types.ts";
import { FIRMATA_PACKAGES, type FirmataBoard, type FirmataEnds } from "../../firmware-bridge/drivers/firmata-board.ts";
import packaged from "../../package.json" with { type: "json" };
import { VirtualTime } from "../edge/world.ts";

/** A board as the capability sees it: pins that a test puts something on, an answer that it may fall silent of, a cable that comes off. */
class PlayedBoard implements FirmataBoard {
	readonly firmware = "StandardFirmata.ino 2.4";
	readonly buttons = new Map<number, (pressed: boolean) => void>();
	readonly inputs = new Map<number, (raw: number) => void>();
	readonly lit: [atMs: number, pin: number, lit: boolean][] = [];
	answers = true;
	closed = false;
	readonly #time: VirtualTime;
	readonly #ends: FirmataEnds;
	constructor(time: VirtualTime, ends: FirmataEnds) {
		this.#time = time;
		this.#ends = ends;
	}
	button(pin: number, changed: (pressed: boolean) => void): void {
		this.buttons.set(pin, changed);
	}
	lamp(pin: number): (lit: boolean) => void {
		return (lit) => this.lit.push([this.#time.nowMs, pin, lit]);
	}
	analog(input: number, _everyMs: number, read: (raw: number) => void): void {
		this.inputs.set(input, read);
	}
	ask(answered: () => void): void {
		if (this.answers) answered();
	}
	close(): Promise<void> {
		if (!this.closed) {
			this.closed = true;
			this.#ends.onClosed();
		}
		return Promise.resolve();
	}
}

const CONFIG = {
	port: "/dev/ttyACM0",
	buttons: { door: { pin: "D2" } },
	lamps: { desk: { pin: "D13" } },
	ranges: { shelf: { input: "A0", sensor: "GP2Y0A21YK", nearMm: 300 } },
} as const;

let time: VirtualTime;
let boards: PlayedBoard[];
let said: string[];
let notes: string[];
let state: NodeSafety["state"];
let refusal: OrionError | undefined;
beforeEach(() => {
	time = new VirtualTime();
	boards = [];
	said = [];
	notes = [];
	state = "working";
	refusal = undefined;
});

const started = async (config: Parameters<typeof gadgetsCapability>[0]["config"] = CONFIG) => {
	const context: CapabilityContext = {
		emit: (type, data) => {
			const checked = checkContract(type.slice("dev.orion.".length, -".v1".length) as "gadget.changed", data);
			if (!checked.ok) throw new Error(JSON.stringify(checked.fault));
			const { gadget, state: now, rangeMm, detail } = checked.value;
			said.push([gadget, now, rangeMm, detail].filter((part) => part !== undefined).join(" "));
			return Promise.resolve();
		},
		measure: () => undefined,
		safety: () => state,
		clock: time.clock(),
		timers: time,
		note: (event) => void notes.push(event),
	};
	const capability = gadgetsCapability({
		config,
		open: (ends) => {
			if (refusal !== undefined) return Promise.reject(refusal);
			const board = new PlayedBoard(time, ends);
			boards.push(board);
			return Promise.resolve(board);
		},
	});
	await capability.start(context);
	await time.settle();
	return capability;
};

const board = (): PlayedBoard => {
	const newest = boards.at(-1);
	if (newest === undefined) throw new Error("no board was opened");
	return newest;
};
const afterwards = async (ms: number, act: () => void): Promise<readonly string[]> => {
	await time.advance(1_000);
	said.length = 0;
	act();
	await time.advance(ms);
	return [...said];
};

describe("what is said", () => {
	test("HARM-159 each is there when its board answers; how a button stands is said when it is known", async () => {
		await started();
		expect(said).toEqual(["door there", "desk there", "shelf there"]);
		expect(await afterwards(500, () => board().buttons.get(2)?.(true))).toEqual(["door pressed"]);
		expect(await afterwards(500, () => board().buttons.get(2)?.(false))).toEqual(["door released"]);
	});
	test("HARM-159 a short press is said whole: what came right after the last word is said when its time is over", async () => {
		await started();
		const tap = (): void => {
			board().buttons.get(2)?.(true);
			time.after(20, () => board().buttons.get(2)?.(false));
		};
		expect(await afterwards(500, tap)).toEqual(["door pressed", "door released"]);
	});
	test("HARM-159 a contact that chatters is said at most ten times a second, and its last state always", async () => {
		await started();
		const press = (): void => {
			for (let turn = 0; turn < 99; turn++) board().buttons.get(2)?.(turn % 2 === 0);
		};
		expect(await afterwards(1_000, press)).toEqual(["door pressed"]);
		const chatter = await afterwards(1_000, () => {
			for (let turn = 0; turn < 100; turn++) time.after(turn * 10, () => board().buttons.get(2)?.(turn % 2 === 1));
		});
		expect(chatter.length).toBeLessThanOrEqual(11);
		expect(chatter.length).toBeGreaterThanOrEqual(2);
		expect(chatter.at(-1)).toBe("door pressed");
	});
	test("HARM-159 something comes near and goes, each said once however often it is measured; too near to tell has no number", async () => {
		await started();
		const raw = (volts: number) => (): void => board().inputs.get(0)?.((volts * 1_023) / 5);
		expect(await afterwards(300, raw(0.74))).toEqual(["shelf far 400"]);
		expect(await afterwards(300, raw(0.75))).toEqual([]);
		expect(await afterwards(300, raw(1.3))).toEqual(["shelf near 200"]);
		expect(await afterwards(300, raw(0.9))).toEqual([]);
		expect(await afterwards(300, raw(0.61))).toEqual(["shelf far 500"]);
		expect(await afterwards(300, raw(3))).toEqual(["shelf near"]);
	});
	test("HARM-159 everything is said once more when core asks", async () => {
		const capability = await started();
		await afterwards(300, () => board().buttons.get(2)?.(true));
		said.length = 0;
		await capability.announce();
		expect(said).toEqual(["door pressed", "desk there", "shelf there"]);
	});
});

describe("a board that is not there", () => {
	test("HARM-160 the cable comes off: all are away, with the reason; when it is back how they stand is not guessed", async () => {
		await started();
		await afterwards(300, () => board().buttons.get(2)?.(true));
		const lost = boards[0];
		expect(await afterwards(300, () => void lost?.close())).toEqual([
			"door away the connection was closed",
			"desk away the connection was closed",
			"shelf away the connection was closed",
		]);
		said.length = 0;
		await time.advance(1_000);
		expect(boards.length).toBe(2);
		expect(said).toEqual(["door there", "desk there", "shelf there"]);
		expect(await afterwards(300, () => lost?.buttons.get(2)?.(false))).toEqual([]);
	});
	test("HARM-160 the line is open and the board is silent: it is away within two rounds, and the port is given back", async () => {
		await started();
		await time.advance(10_000);
		expect(boards.length).toBe(1);
		said.length = 0;
		board().answers = false;
		const silent = board();
		await time.advance(4_100);
		expect(said).toEqual(["door away its board does not answer", "desk away its board does not answer", "shelf away its board does not answer"]);
		expect(silent.closed).toBe(true);
	});
	test("HARM-160 nothing is there: said once, tried again and again more slowly, and found when it comes", async () => {
		refusal = new OrionError("PORT_CLOSED", { path: "/dev/ttyACM0", detail: "No such file" });
		await started();
		await time.advance(3_600_000);
		expect(said.length).toBe(3);
		const tries = notes.filter((event) => event === "gadgets-away").length;
		expect(tries).toBeGreaterThan(100);
		expect(tries).toBeLessThan(130);
		refusal = undefined;
		await time.advance(30_100);
		expect(said.slice(3)).toEqual(["door there", "desk there", "shelf there"]);
	});
	test("HARM-160 a board that comes and goes for ever is given up after 500 times, and that is noted", async () => {
		await started();
		for (let turn = 0; turn < 600; turn++) {
			const opened = boards.length;
			await board().close();
			await time.advance(31_000);
			if (boards.length === opened) break;
		}
		expect(boards.length).toBe(500);
		expect(notes.at(-1)).toBe("gadgets-given-up");
	});
	test("RUN-60 its packages are not installed: away with the line that installs them, and no try again", async () => {
		const packages = Object.entries(FIRMATA_PACKAGES).map((pair) => pair.join("@"));
		refusal = new OrionError("PACKAGES_MISSING", { packages: packages.join(" "), detail: "Cannot find package" });
		await started();
		expect(said[0]).toContain("npm install --omit=optional --ignore-scripts firmata-io@2.3.0 johnny-five@2.1.0");
		await time.advance(3_600_000);
		expect(said.length).toBe(3);
		expect(time.waiting).toBe(0);
	});
	test("RUN-60 what is said to install is what is tested, and no part of the product", () => {
		expect(packaged.peerDependencies).toEqual(FIRMATA_PACKAGES);
		expect(packaged.devDependencies).toMatchObject(FIRMATA_PACKAGES);
		expect(Object.keys(packaged.dependencies)).not.toContain("johnny-five");
		expect(Object.values(packaged.peerDependenciesMeta)).toEqual([{ optional: true }, { optional: true }]);
	});
});

describe("lamps", () => {
	const changes = async (ms: number): Promise<readonly number[]> => {
		board().lit.length = 0;
		await time.advance(ms);
		const times = board().lit.map(([atMs]) => atMs);
		return times.slice(1).map((atMs, at) => atMs - (times[at] ?? 0));
	};
	test("HARM-160 they blink as the node is, and change with it", async () => {
		await started();
		expect(await changes(6_000)).toEqual([1_000, 1_000, 1_000, 1_000, 1_000]);
		state = "alone";
		await time.advance(2_000);
		expect(new Set(await changes(2_000))).toEqual(new Set([200]));
		state = "stopped";
		await time.advance(2_000);
		expect(new Set(await changes(5_000))).toEqual(new Set([100, 900]));
	});
	test("HARM-160 they stand still when nobody tells them any more: after the end, and of a board that is gone", async () => {
		const capability = await started();
		await capability.stop("agent-leave");
		expect(board().closed).toBe(true);
		expect(await changes(10_000)).toEqual([]);
		expect(time.waiting).toBe(0);
	});
});

test.each([
	["one pin for two", { buttons: { door: { pin: "D2" } }, lamps: { desk: { pin: "D2" } } }, "lamps/desk", "D2 is that of buttons.door too"],
	["one name for two", { buttons: { door: { pin: "D2" } }, lamps: { door: { pin: "D3" } } }, "lamps/door", "the name door is that of buttons.door too"],
	["one input for two", { ranges: { a: CONFIG.ranges.shelf, b: CONFIG.ranges.shelf } }, "ranges/b", "A0 is that of ranges.a too"],
])("HARM-159 %s is refused", (_what, gadgets, path, detail) => {
	const found = gadgetTwice({ port: "/dev/ttyACM0", ...gadgets });
	expect([found?.path.join("/"), found?.detail]).toEqual([path, detail]);
	expect(gadgetTwice(CONFIG)).toBeUndefined();
});
