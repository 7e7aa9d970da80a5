// Decides what is told of refused updates: each is a record with its reason as long as they are few; from then on they are counted, and admins hear of a source once in ten minutes.
import type { RecordTypes } from "../../../contracts/envelope.ts";

/** Admins hear of a source, and its refusals are counted together, for this long. */
export const WINDOW_MS = 600_000;
const RECORDED_PER_WINDOW = 5;
const SOURCES_MAX = 1_000;

type Refused = RecordTypes["dev.orion.chat.refused.v1"];

interface Source {
	readonly sinceMs: number;
	readonly count: number;
	readonly unrecorded: number;
}

export interface Told {
	/** What is recorded of it; undefined: it is only counted. */
	readonly record?: Refused;
	/** Admins are told of it. */
	readonly alert: boolean;
}

export class Refusals {
	readonly #sources = new Map<string, Source>();

	/** `atMs`: engine time. */
	add(refused: Omit<Refused, "count">, atMs: number): Told {
		const key = String(refused.user ?? "nobody");
		const before = this.#sources.get(key);
		const fresh = before === undefined || atMs - before.sinceMs >= WINDOW_MS;
		const { sinceMs, count, unrecorded } = fresh ? { sinceMs: atMs, count: 0, unrecorded: before?.unrecorded ?? 0 } : before;
		const recorded = count < RECORDED_PER_WINDOW;
		this.#sources.delete(key);
		this.#sources.set(key, { sinceMs, count: count + 1, unrecorded: recorded ? 0 : unrecorded + 1 });
		for (const oldest of this.#sources.keys()) {
			if (this.#sources.size <= SOURCES_MAX) break;
			this.#sources.delete(oldest);
		}
		return { alert: fresh, ...(recorded ? { record: { ...refused, ...(unrecorded === 0 ? {} : { count: unrecorded }) } } : {}) };
	}
}
