// Decides what a disk has to bear a day, from what was written since a start.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Bytes a day at the pace since the start; undefined within the first hour, which says little about a day. */
export const bytesPerDay = (bytesWritten: number, sinceMs: number): number | undefined =>
	sinceMs < HOUR_MS ? undefined : Math.round((bytesWritten / sinceMs) * DAY_MS);
