// Decides whether a record was stored before: by its number within source, session and lane, or by its id within its source.
import type { Lane } from "../contracts/envelope.ts";
import { sessionCounter } from "../contracts/envelope.ts";
import { IdWindow } from "./id-window.ts";
import { type Judged, LaneWindow } from "./lane-window.ts";
import { type PastMarks, PastSessions } from "./past-sessions.ts";
import type { EntryKey, Gap, LaneMark } from "./port.ts";

/** Sessions of a source whose content is remembered: the newest. */
const SESSIONS_WHOLE = 4;
/** Sessions of a source whose holes are remembered: a node that restarted often while it was away still sends from its older ones. */
const SESSIONS_MAX = 32;
/** Sources that are remembered: at least this many, in two generations. */
const SOURCES_MAX = 512;
/** Holes of what was let go that wait to be told. */
const ORPHANS_MAX = 4_096;

export interface SourceLanes {
	/** By session, in the order of their first record. */
	readonly sessions: Map<string, Map<Lane, LaneWindow>>;
	/** Those that were let go. */
	readonly past: PastSessions;
}

const freshLanes = (): SourceLanes => ({ sessions: new Map(), past: new PastSessions() });

const counterOf = (session: string): number => sessionCounter(session) || 0;

const gapsOf = (source: string, session: string, lanes: ReadonlyMap<Lane, LaneWindow>): readonly Gap[] =>
	[...lanes].flatMap(([lane, window]) => window.holes().map((hole) => ({ source, session, lane, ...hole })));

/** What is remembered by source: the generation that was not used for as long as the other took to fill is dropped whole. */
class Sources<T> {
	#newer = new Map<string, T>();
	#older = new Map<string, T>();
	readonly #dropped: (source: string, value: T) => void;

	constructor(dropped: (source: string, value: T) => void) {
		this.#dropped = dropped;
	}

	peek(source: string): T | undefined {
		return this.#newer.get(source) ?? this.#older.get(source);
	}

	take(source: string, fresh: () => T): T {
		const known = this.#newer.get(source);
		if (known !== undefined) return known;
		const value = this.#older.get(source) ?? fresh();
		this.#older.delete(source);
		this.#newer.set(source, value);
		if (this.#newer.size > SOURCES_MAX) {
			for (const [name, dropped] of this.#older) this.#dropped(name, dropped);
			this.#older = this.#newer;
			this.#newer = new Map();
		}
		return value;
	}

	*entries(): Generator<readonly [string, T]> {
		yield* this.#older;
		yield* this.#newer;
	}
}

export class Dedup {
	readonly #lanes = new Sources<SourceLanes>((source, { sessions }) => {
		for (const [session, lanes] of sessions) this.#orphan(source, session, lanes);
	});
	readonly #ids = new Sources<IdWindow>(() => undefined);
	#orphans: Gap[] = [];

	/** Changes nothing but what is too old. */
	judge(key: EntryKey, digest: number, nowMs: number): Judged {
		if (key.kind === "lane") {
			const known = this.#lanes.peek(key.source);
			const lanes = known?.sessions.get(key.session);
			if (lanes === undefined) return known?.past.isStored(key.session, key.lane, key.seq) === true ? "duplicate" : "new";
			return lanes.get(key.lane)?.judge(key.seq, digest) ?? "new";
		}
		const window = this.#ids.peek(key.source);
		window?.age(nowMs);
		return window?.judge(key.id, digest) ?? "new";
	}

	/** A record that was judged new is stored. */
	add(key: EntryKey, digest: number, nowMs: number): void {
		if (key.kind === "lane") this.#window(key.source, key.session, key.lane).add(key.seq, digest);
		else this.#ids.take(key.source, () => new IdWindow(nowMs)).add(key.id, digest, nowMs);
	}

	#window(source: string, session: string, lane: Lane): LaneWindow {
		const { sessions, past } = this.#lanes.take(source, freshLanes);
		let lanes = sessions.get(session);
		if (lanes === undefined) {
			lanes = new Map(Object.entries(past.take(session)).map(([known, mark]) => [known as Lane, LaneWindow.upTo(mark)]));
			sessions.set(session, lanes);
			if (sessions.size > SESSIONS_WHOLE) this.#letGo(source, { sessions, past });
		}
		let window = lanes.get(lane);
		if (window === undefined) {
			window = new LaneWindow();
			lanes.set(lane, window);
		}
		return window;
	}

	/** A new session began: the older ones keep their marks only, and the oldest go, those first of which nothing is missing. */
	#letGo(source: string, { sessions, past }: SourceLanes): void {
		const oldestFirst = [...sessions.keys()].sort((a, b) => counterOf(a) - counterOf(b));
		const began = [...sessions.keys()].at(-1);
		const older = oldestFirst.slice(0, -SESSIONS_WHOLE).filter((session) => session !== began);
		for (const session of older) for (const window of sessions.get(session)?.values() ?? []) window.forgetContent();
		while (sessions.size > SESSIONS_MAX) {
			const whole = older.findIndex((session) => gapsOf(source, session, sessions.get(session) ?? new Map()).length === 0);
			const [gone] = older.splice(Math.max(0, whole), 1);
			if (gone === undefined) return;
			const lanes = sessions.get(gone) ?? new Map<Lane, LaneWindow>();
			this.#orphan(source, gone, lanes);
			past.letGo(gone, lanes);
			sessions.delete(gone);
		}
	}

	#orphan(source: string, session: string, lanes: ReadonlyMap<Lane, LaneWindow>): void {
		this.#orphans = [...this.#orphans, ...gapsOf(source, session, lanes)].slice(-ORPHANS_MAX);
	}

	/** How many ids are remembered. */
	get ids(): number {
		let count = 0;
		for (const [, window] of this.#ids.entries()) count += window.size;
		return count;
	}

	closeGap(gap: Gap): void {
		const { source, session, lane, fromSeq, toSeq } = gap;
		const isClosed = (other: Gap): boolean =>
			other.source === source && other.session === session && other.lane === lane && other.fromSeq >= fromSeq && other.toSeq <= toSeq;
		const before = this.#orphans.length;
		if (before > 0) this.#orphans = this.#orphans.filter((other) => !isClosed(other));
		// A gap of a session that was let go must not bring it back.
		if (this.#orphans.length === before) this.#window(source, session, lane).close({ fromSeq, toSeq });
	}

	lanes(): readonly LaneMark[] {
		const marks: LaneMark[] = [];
		for (const [source, { sessions }] of this.#lanes.entries()) {
			for (const [session, lanes] of sessions) {
				for (const [lane, { contiguous, highest }] of lanes) marks.push({ source, session, lane, contiguous, highest });
			}
		}
		return marks;
	}

	gaps(): readonly Gap[] {
		const gaps: Gap[] = [...this.#orphans];
		for (const [source, { sessions }] of this.#lanes.entries()) for (const [session, lanes] of sessions) gaps.push(...gapsOf(source, session, lanes));
		return gaps;
	}

	/** What a copy of it is made from. */
	contents(): {
		readonly lanes: Iterable<readonly [string, SourceLanes]>;
		readonly ids: Iterable<readonly [string, IdWindow]>;
		readonly orphans: readonly Gap[];
	} {
		return { lanes: this.#lanes.entries(), ids: this.#ids.entries(), orphans: this.#orphans };
	}

	restoreLane(source: string, session: string, lane: Lane, window: LaneWindow): void {
		const { sessions } = this.#lanes.take(source, freshLanes);
		const lanes = sessions.get(session) ?? new Map<Lane, LaneWindow>();
		sessions.set(session, lanes.set(lane, window));
	}

	restorePast(source: string, session: string, marks: PastMarks): void {
		this.#lanes.take(source, freshLanes).past.put(session, marks);
	}

	restoreIds(source: string, window: IdWindow): void {
		this.#ids.take(source, () => window);
	}

	restoreOrphans(orphans: readonly Gap[]): void {
		this.#orphans = [...orphans];
	}
}

interface StagedKey {
	readonly key: EntryKey;
	readonly digest: number;
}

/** One text a key of a source and kind. An id as it is: its hash is made once, and it is looked up again where all ids are. */
const keyText = (key: EntryKey): string => (key.kind === "lane" ? `${key.session}\n${key.lane}\n${key.seq}` : key.id);

/** What a group of records that is not durable yet would add; thrown away when it could not be stored. */
export class StagedDedup {
	readonly #dedup: Dedup;
	readonly #nowMs: number;
	/** By source. */
	readonly #staged = { lane: new Map<string, Map<string, StagedKey>>(), id: new Map<string, Map<string, StagedKey>>() };

	constructor(dedup: Dedup, nowMs: number) {
		this.#dedup = dedup;
		this.#nowMs = nowMs;
	}

	/** Judges, and remembers what is new. */
	judge(key: EntryKey, digest: number): Judged {
		const text = keyText(key);
		const ofKind = this.#staged[key.kind];
		const ofSource = ofKind.get(key.source);
		const staged = ofSource?.get(text);
		if (staged !== undefined) return staged.digest === digest ? "duplicate" : "fork";
		const judged = this.#dedup.judge(key, digest, this.#nowMs);
		if (judged !== "new") return judged;
		if (ofSource === undefined) ofKind.set(key.source, new Map([[text, { key, digest }]]));
		else ofSource.set(text, { key, digest });
		return judged;
	}

	/** The group is durable. */
	apply(): void {
		for (const ofKind of [this.#staged.lane, this.#staged.id])
			for (const ofSource of ofKind.values()) for (const { key, digest } of ofSource.values()) this.#dedup.add(key, digest, this.#nowMs);
	}
}
