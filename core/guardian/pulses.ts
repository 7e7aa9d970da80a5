// Decides what the pulses that are missing say of a node: counted only while core listened, by the rows of the policy.
import type { PresenceRow, PresenceRules } from "../policy.ts";
import type { NodeView, Silence } from "../state.ts";

/** More than this between two looks was core's own pause: nobody is blamed for what core did not hear then, milliseconds. */
export const LISTENED_MS_MAX = 1_000;

/** What core knows of one node's silence between two looks. */
export interface Listening {
	/** Changes with every sign of life: the newest pulse, the newest word about its presence. */
	readonly sign: string;
	/** Without a sign, while core listened, milliseconds. */
	readonly silentMs: number;
	readonly parent: PresenceRow["parent"];
}

export interface Look {
	readonly sign: string;
	/** Since the look before, milliseconds. */
	readonly passedMs: number;
	readonly parent: PresenceRow["parent"];
}

/** The first look goes on where core stood before it was started anew: a restart of core is no sign of life. */
const begun = ({ sign, parent }: Look, known: Silence | undefined, pulseMs: number): Listening => ({ sign, parent, silentMs: (known?.missed ?? 0) * pulseMs });

/** A parent that comes back brings its nodes back with it: they get their time anew. */
export const listen = (before: Listening | undefined, look: Look, known: Silence | undefined, { pulseMs }: PresenceRules): Listening => {
	const { sign, passedMs, parent } = look;
	if (before === undefined) return begun(look, known, pulseMs);
	const isHeard = before.sign !== sign || (before.parent === "away" && parent === "here");
	return { sign, parent, silentMs: isHeard ? 0 : before.silentMs + Math.min(Math.max(0, passedMs), LISTENED_MS_MAX) };
};

/** Of a node that said that it goes, or whose will says that it is gone, no pulse is expected. */
const isExpected = ({ state }: Pick<NodeView, "state">): boolean => state === "init" || state === "ready";

export interface Found {
	readonly row?: string;
	readonly found: Silence["found"] | "over";
	readonly missed: number;
}

/** What is to be recorded now; undefined while nothing changed. Level-triggered: compares with what the records say so far. */
export const findSilence = (listening: Listening, view: Pick<NodeView, "state" | "silence">, { pulseMs, rows }: PresenceRules): Found | undefined => {
	const missed = Math.floor(listening.silentMs / pulseMs);
	const reached = isExpected(view) ? rows.filter((row) => row.parent === listening.parent && row.missed <= missed) : [];
	const row = reached.reduce<PresenceRow | undefined>((most, each) => (most === undefined || each.missed > most.missed ? each : most), undefined);
	const was = view.silence?.found;
	if (row?.found === was) return undefined;
	// What was lost is over before it is called anything else, so that nobody goes on looking for it.
	if (row === undefined || was === "lost") return { found: "over", missed };
	return { row: row.id, found: row.found, missed };
};
