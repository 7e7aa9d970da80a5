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

const TYPE = /"type":"dev\.orion\.([a-z]+)\.([a-z]+)\.v\d+"/g;
const DECODER = new TextDecoder("latin1");

const typeParts = (bytes: Uint8Array): readonly [string, string] | undefined => {
	const found = [...DECODER.decode(bytes).matchAll(TYPE)];
	const only = found[0];
	if (found.length === 1 && only?.[1] !== undefined && only[2] !== undefined) return [only[1], only[2]];
	// What a message carries may hold the same words: then it is read as a whole.
	try {
		const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
		const type = typeof value === "object" && value !== null && "type" in value ? String(value.type).split(".") : [];
		return type[2] !== undefined && type[3] !== undefined ? [type[2], type[3]] : undefined;
	} catch {
		return undefined;
	}
};

/** The name of its stream; undefined for what only `orion:log` has: clock records, policies, starts. */
export const familyStream = (record: Uint8Array): string | undefined => {
	const parts = typeParts(record);
	if (parts === undefined) return undefined;
	const family = BY_NAME[parts.join(".")] ?? (Object.hasOwn(FAMILIES, parts[0]) ? FAMILIES[parts[0]] : undefined);
	return family === undefined ? undefined : `orion:${family}`;
};
