// Shows buttons, lamps and range finders from the pins of a real StandardFirmata to the events of the mesh, through the real johnny-five and serialport (HARM-159, HARM-160).
import five from "johnny-five";
import { afterEach, expect, test } from "vitest";
import type { Capability, CapabilityContext } from "../../agents/capabilities/capability.ts";
import { gadgetsCapability } from "../../agents/capabilities/gadgets.ts";
import { instant } from "../../contracts/time.ts";
import { openFirmata } from "../../firmware-bridge/drivers/firmata-board.ts";
import { FirmataBench } from "./bench.ts";

const LAMP = 13;
const CONFIG = {
	port: "/dev/virtual",
	buttons: { door: { pin: "D2" } },
	lamps: { desk: { pin: "D13" } },
	ranges: { shelf: { input: "A0", sensor: "GP2Y0A21YK", nearMm: 300 } },
} as const;
/** Some turns of the host between what it wants and the pin. */
const LATE_US = 60_000;

let capability: Capability | undefined;
afterEach(async () => {
	await capability?.stop("agent-stop");
	capability = undefined;
});

const started = async () => {
	const bench = new FirmataBench();
	bench.board.drive(2, true);
	const said: string[] = [];
	const notes: string[] = [];
	const context: CapabilityContext = {
		emit: (_type, data) => {
			const { gadget, state, rangeMm } = data as { readonly gadget: string; readonly state: string; readonly rangeMm?: number };
			said.push([gadget, state, rangeMm].filter((part) => part !== undefined).join(" "));
			return Promise.resolve();
		},
		measure: () => undefined,
		safety: () => "working",
		clock: { now: () => instant(bench.nowUs / 1_000), bootMs: () => 0, wall: () => 0 as never, quality: () => "unsynced" },
		timers: bench,
		note: (event, facts) => void notes.push(`${event} ${JSON.stringify(facts)}`),
	};
	capability = gadgetsCapability({ config: CONFIG, open: (ends) => openFirmata(() => Promise.resolve(bench.port()), ends) });
	await capability.start(context);
	const isSaid = (words: string): Promise<void> => bench.until(words, () => said.includes(words));
	return { bench, said, notes, isSaid };
};

test("HARM-159 a contact and a hand: what is on the pins is what is said", async () => {
	const { bench, said, notes, isSaid } = await started();
	await isSaid("door there");
	expect(notes).toEqual(['gadgets-there {"firmware":"StandardFirmata.ino 2.4"}']);
	bench.board.drive(2, false);
	await isSaid("door pressed");
	bench.board.drive(2, true);
	await isSaid("door released");
	const range = (): number => Number(/^shelf near (\d+)$/.exec(said.at(-1) ?? "")?.[1] ?? Number.NaN);
	bench.board.putVolts(0, 1.3);
	await bench.until("a hand", () => Math.abs(range() - 200) <= 5);
	bench.board.putVolts(0, 0.1);
	await bench.until("nobody", () => said.at(-1) === "shelf far");
});

test("HARM-160 a lamp blinks on its pin as its node is; it is dark and still when nobody is there", async () => {
	const { bench, isSaid } = await started();
	await isSaid("desk there");
	const sinceUs = bench.board.nowUs;
	const pulses = () => bench.board.pulses(LAMP, sinceUs);
	await bench.until("three pulses", () => pulses().length >= 3);
	for (const { widthUs } of pulses()) expect(Math.abs(widthUs - 1_000_000)).toBeLessThan(LATE_US);
	const starts = pulses().map(({ fromUs }) => fromUs);
	for (const [at, fromUs] of starts.slice(1).entries()) expect(Math.abs(fromUs - (starts[at] ?? 0) - 2_000_000)).toBeLessThan(LATE_US);
	await bench.until("lit", () => bench.board.isHigh(LAMP));
	const boards = five.Board.cache.length;
	await capability?.stop("agent-stop");
	expect(five.Board.cache.length).toBe(boards - 1);
	await bench.until("dark", () => !bench.board.isHigh(LAMP));
	const endedUs = bench.board.nowUs;
	bench.board.run(2_100_000);
	expect([bench.board.pulses(LAMP, endedUs), bench.board.isHigh(LAMP)]).toEqual([[], false]);
});

test("HARM-160 the line is open and the board hears nothing: it is away, and found again when it does", async () => {
	const { bench, said, isSaid } = await started();
	await isSaid("door there");
	bench.deaf = true;
	await isSaid("door away");
	bench.deaf = false;
	said.length = 0;
	await isSaid("door there");
	// It was reset by the opening of its port: the contact is open for it from here on.
	bench.board.drive(2, true);
	bench.board.drive(2, false);
	await isSaid("door pressed");
});

test("HARM-160 what is no Firmata is refused in time, and its port given back", async () => {
	const bench = new FirmataBench();
	bench.deaf = true;
	// The board has said its version long ago, and hears no question.
	bench.board.run(5_000_000);
	const port = bench.port();
	let refusal: unknown;
	openFirmata(() => Promise.resolve(port), { onClosed: () => undefined, after: (delayMs, run) => bench.after(delayMs / 5, run) }).catch((error: unknown) => {
		refusal = error;
	});
	await bench.until("the refusal", () => refusal !== undefined);
	expect(refusal).toMatchObject({ fault: { code: "PORT_CLOSED", facts: { detail: "nothing there speaks Firmata" } } });
	expect(port.isOpen).toBe(false);
});
