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

/** Read as a whole: what a message carries may hold the same words as its type. */
const typeOf = (record: Uint8Array): string | undefined => {
	try {
		const value: unknown = JSON.parse(new TextDecoder().decode(record));
		return typeof value === "object" && value !== null && "type" in value ? String(value.type) : undefined;
	} catch {
		return undefined;
	}
};

/** The name of its stream; undefined for what only `orion:log` has: clock records, policies, starts. `type`: what it is, if that is known. */
export const familyStream = (record: Uint8Array, type = typeOf(record)): string | undefined => {
	const [, , family, what] = type?.split(".") ?? [];
	if (family === undefined || what === undefined) return undefined;
	const stream = BY_NAME[`${family}.${what}`] ?? (Object.hasOwn(FAMILIES, family) ? FAMILIES[family] : undefined);
	return stream === undefined ? undefined : `orion:${stream}`;
};
