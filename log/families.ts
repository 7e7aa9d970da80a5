// Decides into which stream of its family a record goes, beside the one with everything.
const FAMILIES: Readonly<Record<string, string>> = {
	alert: "events",
	alone: "events",
	gadget: "events",
	hexapod: "events",
	host: "events",
	log: "events",
	node: "events",
	process: "events",
	quarantine: "events",
	service: "events",
	incident: "incidents",
	decision: "decisions",
	action: "actions",
	outcome: "outcomes",
};
const BY_NAME: Readonly<Record<string, string>> = {
	"approval.requested": "approval_requests",
	"approval.decided": "approval_decisions",
	"approval.refused": "approval_decisions",
	"approval.closed": "approval_decisions",
	"level.asked": "approval_requests",
	"level.answered": "approval_decisions",
};

export const FAMILY_STREAMS: readonly string[] = [...new Set([...Object.values(FAMILIES), ...Object.values(BY_NAME)])].map((family) => `orion:${family}`);

const KEY = '"type"';
const TYPE = /^\s*:\s*"dev\.orion\.([a-z]+)\.([a-z]+)\.v\d+"/;
/** No type of ours is longer. */
const TYPE_LENGTH_MAX = 96;

/** Without reading all of it, if the word stands there once; latin1, because only ASCII is looked for. */
const onlyType = (bytes: Uint8Array): readonly [string, string] | undefined => {
	const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
	const at = text.indexOf(KEY);
	// A key can be written with escapes, and then the one that is seen is another one's.
	if (at < 0 || text.indexOf(KEY, at + KEY.length) >= 0 || text.includes("\\u")) return undefined;
	const [, family, what] = TYPE.exec(text.slice(at + KEY.length, at + KEY.length + TYPE_LENGTH_MAX)) ?? [];
	return family === undefined || what === undefined ? undefined : [family, what];
};

const typeParts = (bytes: Uint8Array): readonly [string, string] | undefined => {
	const only = onlyType(bytes);
	if (only !== undefined) return only;
	// What a message carries may hold the same words: then it is read as a whole.
	try {
		const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
		const type = typeof value === "object" && value !== null && "type" in value ? String(value.type).split(".") : [];
		return type[2] !== undefined && type[3] !== undefined ? [type[2], type[3]] : undefined;
	} catch {
		return undefined;
	}
};

const streamOf = ([family, what]: readonly [string, string]): string | undefined => {
	const stream = BY_NAME[`${family}.${what}`] ?? (Object.hasOwn(FAMILIES, family) ? FAMILIES[family] : undefined);
	return stream === undefined ? undefined : `orion:${stream}`;
};

/** By type, as far as they were asked for: there are as many as contracts. */
const STREAMS = new Map<string, string | undefined>();
const STREAMS_MAX = 512;

const streamOfType = (type: string): string | undefined => {
	if (STREAMS.has(type)) return STREAMS.get(type);
	const [, , family = "", what = ""] = type.split(".");
	const stream = streamOf([family, what]);
	if (STREAMS.size < STREAMS_MAX) STREAMS.set(type, stream);
	return stream;
};

/** The name of its stream; undefined for what only `orion:log` has: clock records, policies, starts. `type`: what it is, if that is known. */
export const familyStream = (record: Uint8Array, type?: string): string | undefined => {
	if (type !== undefined) return streamOfType(type);
	const parts = typeParts(record);
	return parts === undefined ? undefined : streamOf(parts);
};
