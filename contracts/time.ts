// The three kinds of time: instants and durations for decisions (monotonic), wall time for people.

/** A point on one machine's monotonic axis, in milliseconds. Never compared across machines. */
export type Instant = number & { readonly is: "instant in ms" };
/** A span, in milliseconds. The only kind of time that nodes exchange for decisions. */
export type Duration = number & { readonly is: "duration in ms" };
/** Milliseconds since 1970 UTC. Stamps records and is shown to people; decides nothing. */
export type WallTime = number & { readonly is: "wall time in ms" };

export type ClockQuality = "synced" | "holdover" | "unsynced";

export const instant = (ms: number): Instant => ms as Instant;
export const duration = (ms: number): Duration => ms as Duration;
export const wallTime = (ms: number): WallTime => ms as WallTime;
export const after = (at: Instant, by: Duration): Instant => (at + by) as Instant;
export const between = (from: Instant, to: Instant): Duration => (to - from) as Duration;

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** "250ms", "30s", "10min", "24h", "7d" -> milliseconds; undefined for anything else. */
export const parseDuration = (text: string): Duration | undefined => {
	const match = /^(\d{1,9})(ms|s|min|h|d)$/.exec(text);
	const unit = match?.[2] === undefined ? undefined : UNITS_MS[match[2]];
	return match?.[1] === undefined || unit === undefined ? undefined : duration(Number(match[1]) * unit);
};

/** Milliseconds as a person says them: 250 ms, 4.2 s, 3 min, 2 h, 5 d. */
export const sayDuration = (ms: number): string => {
	if (ms < 1_000) return `${Math.round(ms)} ms`;
	if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
	if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
	if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
	return `${Math.round(ms / 86_400_000)} d`;
};

/** What an adapter that needs time is given; nothing pure ever sees it. */
export interface Clock {
	/** Monotonic milliseconds of this process. */
	now(): Instant;
	/** Wall time, milliseconds since 1970 UTC. */
	wall(): WallTime;
}

/** Wall milliseconds -> RFC 3339 in UTC, always with three decimals. */
export const isoTime = (wallMs: number): string => new Date(wallMs).toISOString();
