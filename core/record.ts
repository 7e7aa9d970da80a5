// What goes into the engine and what comes out: a recorded input with its position, and drafts that the engine turns into records.
import type { Envelope, RecordType, RecordTypes } from "../contracts/envelope.ts";

export interface Recorded {
	/** Log position; 0 for an output that is not yet appended. */
	readonly position: number;
	readonly envelope: Envelope;
}

/** What a part of the engine wants recorded; the engine adds ids, times and causes. */
export type Draft<T extends RecordType = RecordType> = {
	[K in T]: { readonly type: K; readonly part: Part; readonly subject?: string; readonly incident?: string; readonly data: RecordTypes[K] };
}[T];

export type Part = "guardian" | "brain" | "approvals" | "commander";

const ENGINE_SOURCES: readonly string[] = ["/core/guardian", "/core/brain", "/core/approvals", "/core/commander"];

/** Outputs of the engine are folded; only inputs are decided on. */
export const isOutput = (envelope: Envelope): boolean => ENGINE_SOURCES.includes(envelope.source);

export const draft = <T extends RecordType>(part: Part, type: T, data: RecordTypes[T], incident?: string, subject?: string): Draft<T> =>
	({ type, part, data, ...(incident === undefined ? {} : { incident }), ...(subject === undefined ? {} : { subject }) }) as Draft<T>;
