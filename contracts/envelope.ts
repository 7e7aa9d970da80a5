// The message of the mesh: parses unknown bytes into an envelope whose data obeys the contract of its type, or says exactly what broke.
import { fail } from "./errors.ts";
import type { Contracts, Envelope as EnvelopeSchema, RecordTypes } from "./gen/types.ts";
import { ENVELOPED, KNOWN_FIELDS, VALIDATORS } from "./gen/validate.ts";
import type { ValidateFunction } from "./gen/validate-function.ts";
import { type Fail, ok, type Result } from "./result.ts";

export type { RecordTypes } from "./gen/types.ts";
export type RecordType = keyof RecordTypes;
export type Lane = NonNullable<EnvelopeSchema["lane"]>;
export const LANES: readonly Lane[] = ["safety", "decision", "event", "metric"];

/** An envelope whose type is known here; `data` obeys that contract. Attributes not named here are kept. */
export type Envelope<T extends RecordType = RecordType> = {
	[K in T]: Omit<EnvelopeSchema, "type" | "data"> & { readonly type: K; readonly data: RecordTypes[K] };
}[T];

export const ENVELOPE_BYTES_MAX = 65_536;
export const DEPTH_MAX = 16;

const CONTRACT_GENERATION = 1;
const CONTRACTS_BY_TYPE: ReadonlyMap<string, keyof Contracts> = new Map(ENVELOPED.map((name) => [`dev.orion.${name}.v${CONTRACT_GENERATION}`, name]));

/** "dev.orion.alert.firing.v1" -> "alert.firing"; undefined for a type without a contract here, and for what is no message: a file, a signed payload. */
export const contractOf = (type: string): keyof Contracts | undefined => CONTRACTS_BY_TYPE.get(type);

/** One step of a JSON pointer (RFC 6901). */
const step = (name: string): string => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;

type Violation = NonNullable<ValidateFunction["errors"]>[number];

/** The property that is meant where the validator names only the object around it: missing, not allowed, or badly named. */
const namedIn = ({ params, propertyName }: Violation): string => {
	const name = params["missingProperty"] ?? params["additionalProperty"] ?? propertyName;
	return name === undefined ? "" : step(String(name));
};

const violation = (schema: string, validate: ValidateFunction, prefix: string): Fail => {
	const first = validate.errors?.[0];
	const pointer = `${prefix}${first?.instancePath ?? ""}${first === undefined ? "" : namedIn(first)}`;
	const allowed = first?.keyword === "enum" ? `: ${JSON.stringify(first.params["allowedValues"])}` : "";
	return fail("CONTRACT_VIOLATED", { schema, pointer, detail: `${first?.message ?? "invalid"}${allowed}` });
};

/** Checks a value against one contract by name; the pointer of a violation starts with `prefix`. */
export const checkContract = <K extends keyof Contracts>(name: K, value: unknown, prefix = ""): Result<Contracts[K]> => {
	const validate = VALIDATORS[name];
	return validate(value) ? ok(value as Contracts[K]) : violation(name, validate, prefix);
};

const tooDeep = (value: unknown, left: number): boolean => {
	if (value === null || typeof value !== "object") return false;
	if (left === 0) return true;
	if (Array.isArray(value)) return value.some((inner) => tooDeep(inner, left - 1));
	const object = value as Readonly<Record<string, unknown>>;
	// What JSON.parse made has no other names than its own.
	for (const name in object) if (tooDeep(object[name], left - 1)) return true;
	return false;
};

const DECODER = new TextDecoder("utf-8", { fatal: true });

/** Bytes -> a JSON value: at most 64 KiB, valid UTF-8, not too deep. Faults: TOO_LARGE, NOT_JSON, TOO_DEEP. */
export const parseJson = (bytes: Uint8Array, bytesMax = ENVELOPE_BYTES_MAX): Result<unknown> => {
	if (bytes.byteLength > bytesMax) return fail("TOO_LARGE", { bytes: bytes.byteLength, bytesMax });
	let value: unknown;
	try {
		value = JSON.parse(DECODER.decode(bytes));
	} catch (error) {
		return fail("NOT_JSON", { detail: error instanceof Error ? error.message.slice(0, 200) : "unreadable" });
	}
	return tooDeep(value, DEPTH_MAX) ? fail("TOO_DEEP", { depthMax: DEPTH_MAX }) : ok(value);
};

/** A JSON value -> an envelope with data that obeys its contract. Faults: CONTRACT_VIOLATED, TYPE_UNKNOWN. */
export const checkEnvelope = (value: unknown): Result<Envelope> => {
	const outer = checkContract("envelope", value);
	if (!outer.ok) return outer;
	const name = contractOf(outer.value.type);
	if (name === undefined) return fail("TYPE_UNKNOWN", { type: outer.value.type });
	const inner = checkContract(name, outer.value.data, "/data");
	return inner.ok ? ok(value as Envelope) : inner;
};

/** Bytes -> an envelope with data that obeys its contract. */
export const parseEnvelope = (bytes: Uint8Array): Result<Envelope> => {
	const json = parseJson(bytes);
	return json.ok ? checkEnvelope(json.value) : json;
};

const NONE: readonly string[] = [];

/** Fields of data that the contract does not name: they are kept, and reported once per node and type. */
export const unknownFields = (envelope: Envelope): readonly string[] => {
	const name = contractOf(envelope.type);
	if (name === undefined) return [];
	const known = KNOWN_FIELDS[name];
	let unknown: string[] | undefined;
	// What JSON.parse made has no other names than its own; asked of every message, and hardly any has one.
	for (const field in envelope.data) if (!known.includes(field)) unknown = [...(unknown ?? []), field];
	return unknown ?? NONE;
};

/** The node that a source speaks for: "/nodes/pi-3.backup" -> "pi-3"; undefined for core. */
export const nodeOfSource = (source: string): string | undefined => /^\/nodes\/([a-z0-9-]{1,32})(?:[./]|$)/.exec(source)?.[1];

/** Narrows an envelope to one type. */
export const isType = <T extends RecordType>(envelope: Envelope, type: T): envelope is Extract<Envelope, { readonly type: T }> => envelope.type === type;

const ENCODER = new TextEncoder();
/** The bytes of an envelope. Key order is that of the object, so the same construction gives the same bytes. */
export const encodeEnvelope = (envelope: Envelope): Uint8Array => ENCODER.encode(JSON.stringify(envelope));

/** The session "<counter>.<64 random bits>" -> its counter. */
export const sessionCounter = (session: string): number => Number(session.slice(0, session.indexOf(".")));
