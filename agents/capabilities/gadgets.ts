// Connects buttons, lamps and range finders on an Arduino to the mesh: each change is an event, lamps show how this node is. It offers no action, and nothing on it moves.
import type { RecordTypes } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { ConfigNode } from "../../contracts/gen/types.ts";
import type { FirmataBoard, FirmataEnds } from "../../firmware-bridge/drivers/firmata-board.ts";
import { blinkOf, distanceOf, nearnessOf } from "../../firmware-bridge/gadgets.ts";
import type { Capability, CapabilityContext, Outcome } from "./capability.ts";

export type GadgetsConfig = NonNullable<ConfigNode["gadgets"]>;
type Changed = RecordTypes["dev.orion.gadget.changed.v1"];
type Said = Omit<Changed, "gadget" | "kind">;

const ASK_EVERY_MS = 2_000;
/** A contact that chatters is no flood: what a gadget does in this time is said once, as it is at its end. */
const SAY_EVERY_MS = 100;
const RANGE_EVERY_MS = 200;
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 30_000;
/** A board that answered this long was there: when it is lost, it is looked for soon. */
const SETTLED_MS = 60_000;
/** What johnny-five made for a board it keeps for ever: a cable that comes and goes all day must not fill the memory. */
const BOARDS_MAX = 500;

interface Gadget {
	readonly name: string;
	readonly kind: Changed["kind"];
	now: Said | undefined;
	said: Said["state"] | undefined;
	pause: (() => void) | undefined;
}

export interface GadgetsOptions {
	readonly config: GadgetsConfig;
	/** One attempt. Faults: PACKAGES_MISSING, PORT_CLOSED. */
	readonly open: (ends: FirmataEnds) => Promise<FirmataBoard>;
}

/** The first thing that is named or wired twice, as keys below `gadgets` and what is wrong; undefined: nothing is. */
export const gadgetTwice = ({
	buttons = {},
	lamps = {},
	ranges = {},
}: GadgetsConfig): { readonly path: readonly string[]; readonly detail: string } | undefined => {
	const seen = new Map<string, string>();
	for (const [kind, gadgets] of Object.entries({ buttons, lamps, ranges })) {
		for (const [name, gadget] of Object.entries(gadgets)) {
			for (const what of [`the name ${name}`, "pin" in gadget ? gadget.pin : gadget.input]) {
				const other = seen.get(what);
				if (other !== undefined) return { path: [kind, name], detail: `${what} is that of ${other} too` };
				seen.set(what, `${kind}.${name}`);
			}
		}
	}
	return undefined;
};

/** "D13" -> 13, "A0" -> 0. */
const numberOf = (pin: string): number => Number(pin.slice(1));

const sayError = (error: unknown): string => (error instanceof Error ? error.message : "unknown").slice(0, 2_000);

class Gadgets {
	readonly #context: CapabilityContext;
	readonly #options: GadgetsOptions;
	readonly #gadgets: ReadonlyMap<string, Gadget>;
	readonly #cancels = new Set<() => void>();
	#board: FirmataBoard | undefined;
	#thereMs = 0;
	#boards = 0;
	#retryMs = RETRY_FIRST_MS;
	#why = "the connection was closed";
	#stopped = false;

	constructor(context: CapabilityContext, options: GadgetsOptions) {
		this.#context = context;
		this.#options = options;
		const { buttons = {}, lamps = {}, ranges = {} } = options.config;
		const of = (kind: Changed["kind"], names: object): readonly Gadget[] =>
			Object.keys(names).map((name) => ({ name, kind, now: undefined, said: undefined, pause: undefined }));
		this.#gadgets = new Map([...of("button", buttons), ...of("lamp", lamps), ...of("range", ranges)].map((gadget) => [gadget.name, gadget]));
	}

	connect(): void {
		if (this.#stopped) return;
		const { timers } = this.#context;
		let opened: FirmataBoard | undefined;
		const onClosed = (): void => {
			if (opened !== undefined && this.#board === opened) this.#away(this.#why);
		};
		this.#options
			.open({ onClosed, after: (delayMs, run) => timers.after(delayMs, run) })
			.then(async (board) => {
				opened = board;
				if (this.#stopped) await board.close();
				else this.#there(board);
			})
			.catch((error: unknown) => this.#away(sayError(error), error));
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		this.#cancelAll();
		for (const { pause } of this.#gadgets.values()) pause?.();
		const board = this.#board;
		this.#board = undefined;
		await board?.close();
	}

	async announce(): Promise<void> {
		for (const gadget of this.#gadgets.values()) if (gadget.said !== undefined) await this.#emit(gadget);
	}

	#there(board: FirmataBoard): void {
		const { clock, note } = this.#context;
		this.#board = board;
		this.#boards += 1;
		this.#thereMs = clock.now();
		this.#why = "the connection was closed";
		note("gadgets-there", { firmware: board.firmware });
		for (const gadget of this.#gadgets.values()) this.#change(gadget.name, { state: "there" });
		const { buttons = {}, lamps = {}, ranges = {} } = this.#options.config;
		const isStill = (): boolean => this.#board === board;
		for (const [name, { pin }] of Object.entries(buttons))
			board.button(numberOf(pin), (pressed) => isStill() && this.#change(name, { state: pressed ? "pressed" : "released" }));
		for (const [name, { input, sensor, nearMm }] of Object.entries(ranges))
			board.analog(numberOf(input), RANGE_EVERY_MS, (raw) => isStill() && this.#measured(name, distanceOf(sensor, raw), nearMm));
		const lit = Object.values(lamps).map(({ pin }) => board.lamp(numberOf(pin)));
		if (lit.length > 0) this.#blink(lit, true);
		this.#ask(board);
	}

	#measured(name: string, distance: ReturnType<typeof distanceOf>, nearMm: number): void {
		const before = this.#gadgets.get(name)?.now?.state;
		const state = nearnessOf(distance, nearMm, before === "near" ? "near" : undefined);
		this.#change(name, { state, ...(distance.kind === "mm" ? { rangeMm: distance.mm } : {}) });
	}

	#blink(lamps: readonly ((lit: boolean) => void)[], lit: boolean): void {
		const { litMs, darkMs } = blinkOf(this.#context.safety());
		for (const lamp of lamps) lamp(lit);
		this.#after(lit ? litMs : darkMs, () => this.#blink(lamps, !lit));
	}

	/** The line stays open when a board hangs; only its own answer says that it is there. */
	#ask(board: FirmataBoard): void {
		let answered = false;
		board.ask(() => {
			answered = true;
		});
		this.#after(ASK_EVERY_MS, () => {
			if (answered) return this.#ask(board);
			this.#why = "its board does not answer";
			void board.close();
		});
	}

	#away(detail: string, error?: unknown): void {
		if (this.#stopped) return;
		const { clock, note } = this.#context;
		const board = this.#board;
		this.#board = undefined;
		this.#cancelAll();
		// A gadget that could not be set up leaves a port open.
		if (error !== undefined) void board?.close();
		for (const { name } of this.#gadgets.values()) this.#change(name, { state: "away", detail });
		if (board !== undefined && clock.now() - this.#thereMs >= SETTLED_MS) this.#retryMs = RETRY_FIRST_MS;
		const isHopeless = error instanceof OrionError && error.fault.code === "PACKAGES_MISSING";
		if (isHopeless || this.#boards >= BOARDS_MAX) {
			note("gadgets-given-up", { detail, boards: this.#boards });
			return;
		}
		note("gadgets-away", { detail, againInMs: this.#retryMs });
		this.#after(this.#retryMs, () => this.connect());
		this.#retryMs = Math.min(RETRY_LAST_MS, this.#retryMs * 2);
	}

	#change(name: string, now: Said): void {
		const gadget = this.#gadgets.get(name);
		if (gadget === undefined) return;
		gadget.now = now;
		this.#sayChanged(gadget);
	}

	#sayChanged(gadget: Gadget): void {
		if (this.#stopped || gadget.pause !== undefined || gadget.now === undefined || gadget.now.state === gadget.said) return;
		gadget.said = gadget.now.state;
		gadget.pause = this.#context.timers.after(SAY_EVERY_MS, () => {
			gadget.pause = undefined;
			this.#sayChanged(gadget);
		});
		void this.#emit(gadget);
	}

	async #emit({ name, kind, now }: Gadget): Promise<void> {
		if (now === undefined) return;
		try {
			await this.#context.emit("dev.orion.gadget.changed.v1", { gadget: name, kind, ...now });
		} catch (error) {
			this.#context.note("gadget-not-said", { gadget: name, detail: sayError(error) });
		}
	}

	#after(delayMs: number, run: () => void): void {
		const cancel = this.#context.timers.after(delayMs, () => {
			this.#cancels.delete(cancel);
			run();
		});
		this.#cancels.add(cancel);
	}

	#cancelAll(): void {
		for (const cancel of this.#cancels) cancel();
		this.#cancels.clear();
	}
}

export const gadgetsCapability = (options: GadgetsOptions): Capability => {
	let gadgets: Gadgets | undefined;
	const cannot = (): Promise<Outcome> => Promise.resolve({ phase: "failed", reason: "no-such-action" });
	return {
		name: "gadgets",
		actions: {},
		services: [],
		// A board that is not there holds up nothing else.
		start: (context) => {
			gadgets = new Gadgets(context, options);
			gadgets.connect();
			return Promise.resolve();
		},
		stop: async () => gadgets?.stop(),
		run: cannot,
		probe: cannot,
		announce: async () => gadgets?.announce(),
	};
};
