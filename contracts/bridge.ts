// The words between core and a broker elsewhere: parsed at both ends, versioned, and never kept by whoever carries them.
import { fail } from "./errors.ts";
import { ok, type Result } from "./result.ts";

/** Who may connect, as core knows it: hashes, never passwords. */
export type NodeRows = Readonly<
	Record<string, { readonly password: string; readonly addedWallMs: number; readonly client?: boolean; readonly revokedWallMs?: number }>
>;

/** What a broker says to core, at once and unkept; what must not be lost goes through its spool. */
export type BrokerWord =
	/** Each second, and whenever it does not know where core stands (`sync`). `first` and `head`: what its spool holds; `lostUpTo`: what core never said to have, and the spool has no more. */
	| {
			readonly v: 1;
			readonly kind: "here";
			readonly epoch: string;
			readonly first: number;
			readonly head: number;
			readonly lostUpTo: number;
			readonly sync: boolean;
			readonly nodes: readonly string[];
			readonly rows: string;
			/** Its disk takes nothing: it thanks nobody. Older brokers do not say it. */
			readonly full?: boolean;
			/** What it writes to its disk a day, as long as it has run for an hour. */
			readonly bytesPerDay?: number;
	  }
	/** A pulse or a measurement. */
	| { readonly v: 1; readonly kind: "live"; readonly node: string; readonly clientId: string; readonly topic: string; readonly bytes: string }
	| { readonly v: 1; readonly kind: "answer"; readonly id: string; readonly outcome: "delivered" | "nobody" }
	| { readonly v: 1; readonly kind: "stop"; readonly verb: "stop" | "cut"; readonly target: string; readonly node: string; readonly bytes: string };

/** What core says to a broker; nothing of it waits for one that is away. */
export type CoreWord =
	/** Everything up to here is on core's disk. `again`: the way between is empty now, go on behind it. */
	| { readonly v: 1; readonly kind: "mark"; readonly epoch: string; readonly upTo: number; readonly again: boolean }
	| { readonly v: 1; readonly kind: "publish"; readonly topic: string; readonly bytes: string; readonly qos: 0 | 1; readonly retain: boolean }
	| { readonly v: 1; readonly kind: "deliver"; readonly id: string; readonly node: string; readonly topic: string; readonly bytes: string }
	| { readonly v: 1; readonly kind: "drop"; readonly node: string }
	| { readonly v: 1; readonly kind: "rows"; readonly rows: NodeRows };

type Kind = "text" | "number" | "flag" | "texts" | "object" | "number?" | "flag?";
type Shape = Readonly<Record<string, Kind>>;

const BROKER_WORDS: Readonly<Record<BrokerWord["kind"], Shape>> = {
	here: {
		epoch: "text",
		first: "number",
		head: "number",
		lostUpTo: "number",
		sync: "flag",
		nodes: "texts",
		rows: "text",
		full: "flag?",
		bytesPerDay: "number?",
	},
	live: { node: "text", clientId: "text", topic: "text", bytes: "text" },
	answer: { id: "text", outcome: "text" },
	stop: { verb: "text", target: "text", node: "text", bytes: "text" },
};
const CORE_WORDS: Readonly<Record<CoreWord["kind"], Shape>> = {
	mark: { epoch: "text", upTo: "number", again: "flag" },
	publish: { topic: "text", bytes: "text", qos: "number", retain: "flag" },
	deliver: { id: "text", node: "text", topic: "text", bytes: "text" },
	drop: { node: "text" },
	rows: { rows: "object" },
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

const IS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
	text: (value) => typeof value === "string",
	number: isCount,
	"number?": (value) => value === undefined || isCount(value),
	flag: (value) => typeof value === "boolean",
	"flag?": (value) => value === undefined || typeof value === "boolean",
	texts: (value) => Array.isArray(value) && value.every((one) => typeof one === "string"),
	object: isObject,
};

const parse = (bytes: Uint8Array, shapes: Readonly<Record<string, Shape>>): Result<Readonly<Record<string, unknown>>> => {
	let value: unknown;
	try {
		value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
	} catch (error) {
		return fail("NOT_JSON", { detail: error instanceof Error ? error.message.slice(0, 200) : "unreadable" });
	}
	const wrong = (pointer: string) => fail("CONTRACT_VIOLATED", { schema: "bridge", pointer, detail: "is not what this version understands" });
	if (!isObject(value) || value["v"] !== 1) return wrong("/v");
	const kind = value["kind"];
	const shape = typeof kind === "string" && Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
	if (shape === undefined) return wrong("/kind");
	for (const [field, is] of Object.entries(shape)) if (!IS[is](value[field])) return wrong(`/${field}`);
	return ok(value);
};

const ONE_OF: Readonly<Record<string, readonly unknown[]>> = { outcome: ["delivered", "nobody"], verb: ["stop", "cut"], qos: [0, 1] };

const narrowed = <W>(parsed: Result<Readonly<Record<string, unknown>>>): Result<W> => {
	if (!parsed.ok) return parsed;
	for (const [field, values] of Object.entries(ONE_OF)) {
		const found = parsed.value[field];
		if (found !== undefined && !values.includes(found))
			return fail("CONTRACT_VIOLATED", { schema: "bridge", pointer: `/${field}`, detail: "is no word of it" });
	}
	return ok(parsed.value as W);
};

/** Faults: NOT_JSON, CONTRACT_VIOLATED. */
export const parseBrokerWord = (bytes: Uint8Array): Result<BrokerWord> => narrowed<BrokerWord>(parse(bytes, BROKER_WORDS));

/** Faults: NOT_JSON, CONTRACT_VIOLATED. */
export const parseCoreWord = (bytes: Uint8Array): Result<CoreWord> => narrowed<CoreWord>(parse(bytes, CORE_WORDS));

export const encodeWord = (word: BrokerWord | CoreWord): Uint8Array => new TextEncoder().encode(JSON.stringify(word));

/** The names in Redis of one broker: its stream, what it says, what it hears. */
export const bridgeNames = (broker: string) => ({ stream: `orion:in:${broker}`, says: `orion:say:${broker}`, hears: `orion:out:${broker}` }) as const;

/** What a broker's own user may do in Redis: add to its stream, say and hear what is its own, and nothing else. */
export const bridgeRights = (broker: string): readonly string[] => {
	const { stream, says, hears } = bridgeNames(broker);
	return ["resetkeys", "resetchannels", "-@all", "+auth", "+ping", "+xadd", "+publish", "+subscribe", `%W~${stream}`, `&${says}`, `&${hears}`];
};
