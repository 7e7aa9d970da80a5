// Decides whether a folder can be opened, and with what: verifies every record first and changes nothing before it is known to be right.
import { OrionError } from "../contracts/errors.ts";
import { contentDigest } from "./crc32c.ts";
import { Dedup } from "./dedup.ts";
import { decodeDedup } from "./dedup-copy.ts";
import { codeOf, type OpenFile } from "./file-port.ts";
import { checkVersion, readCursors, readLosses, writeCursors, writeVersion } from "./folder-facts.ts";
import { Segment } from "./segment.ts";
import { encodeSegmentHeader, firstOfName, segmentName } from "./segment-format.ts";
import { ARCHIVE, DEDUP, DEDUP_OLDER, type SegmentsOptions } from "./segment-options.ts";
import { type Damage, hasHeader, type ScannedSegment, scanSegment } from "./segment-scan.ts";
import { TailFile } from "./tail-file.ts";
import { readWhole, removeIfThere } from "./whole-file.ts";

const TAIL = "tail";

export interface ActiveSegment {
	readonly segment: Segment;
	readonly file: OpenFile;
}

export interface OpenedFolder {
	readonly tail: TailFile;
	/** Oldest first; the last one is the active one. */
	readonly segments: Segment[];
	readonly active: ActiveSegment;
	readonly dedup: Dedup;
	/** Up to where its newest copy on disk reaches; 0 if that one cannot be read. */
	readonly copiedUpTo: number;
	readonly cursors: ReadonlyMap<string, number>;
	/** Not accepted before. */
	readonly newDamages: readonly Damage[];
	readonly acceptedDamages: readonly Damage[];
	/** Position of the newest record that is there. */
	readonly head: number;
	/** The position of the next record. */
	readonly next: number;
}

/** A segment that is there from now on, empty: its header and its name are on disk. */
export const createSegment = async ({ files, folder, mesh }: SegmentsOptions, firstPosition: number): Promise<ActiveSegment> => {
	const name = segmentName(firstPosition);
	// One that a crash or a full disk left half-made holds no record that anybody was told of.
	await removeIfThere(files, `${folder}/${name}`);
	const file = await files.open(`${folder}/${name}`, "create");
	try {
		const header = encodeSegmentHeader(mesh, firstPosition);
		await file.write(0, header);
		await file.fsync();
		await files.syncFolder(folder);
		const segment = new Segment(name, firstPosition);
		segment.begin(header.length);
		return { segment, file };
	} catch (error) {
		await file.close();
		throw error;
	}
};

const segmentNames = async (options: SegmentsOptions, folder: string): Promise<readonly string[]> =>
	(await options.files.list(folder)).filter((name) => firstOfName(name) !== undefined);

const openTail = async ({ files, folder }: SegmentsOptions): Promise<TailFile | undefined> => {
	try {
		return await TailFile.open(files, folder);
	} catch (error) {
		if (codeOf(error) === "ENOENT") return undefined;
		throw error;
	}
};

/** What was read of the folder before any record. */
interface Facts {
	readonly isFresh: boolean;
	readonly tail: TailFile | undefined;
	readonly damagedFiles: readonly string[];
	readonly cursors: ReadonlyMap<string, number>;
	readonly accepted: readonly Damage[];
	readonly copy: { readonly dedup: Dedup; readonly position: number } | undefined;
	readonly copiedUpTo: number;
	/** Whole segments that an archiving which was cut short had still to move. */
	readonly leftOver: readonly string[];
	readonly names: readonly string[];
	readonly committed: number;
	readonly archivedUpTo: number;
}

const readCopy = async ({ files, folder }: SegmentsOptions, name: string, nowMs: number): Promise<Facts["copy"]> => {
	const bytes = await readWhole(files, `${folder}/${name}`);
	return bytes === undefined ? undefined : decodeDedup(bytes, nowMs);
};

const readFacts = async (options: SegmentsOptions, nowMs: number): Promise<Facts> => {
	const { files, folder, mesh } = options;
	const version = await checkVersion(files, folder, mesh);
	const all = await segmentNames(options, folder);
	const tail = await openTail(options);
	try {
		const isFresh = version === "missing" && all.length === 0 && (tail?.committed ?? 0) === 0;
		const cursors = await readCursors(files, folder);
		const newest = await readCopy(options, DEDUP, nowMs);
		const copy = newest ?? (await readCopy(options, DEDUP_OLDER, nowMs));
		const firsts = all.map((name) => firstOfName(name) ?? 0);
		const archivedUpTo = tail?.archivedUpTo ?? (firsts[0] ?? 1) - 1;
		const leftOver = all.filter((_, index) => (firsts[index + 1] ?? Number.POSITIVE_INFINITY) - 1 <= archivedUpTo);
		const damagedFiles = [version === "whole" ? "" : "VERSION", tail === undefined ? TAIL : "", cursors === undefined ? "cursors" : ""].filter(
			(name) => name !== "",
		);
		return {
			isFresh,
			tail,
			damagedFiles: isFresh ? [] : damagedFiles,
			cursors: cursors ?? new Map(),
			accepted: await readLosses(files, folder),
			copy,
			copiedUpTo: newest?.position ?? 0,
			leftOver,
			names: all.slice(leftOver.length),
			// The copy was made of durable records only, so it knows as well as the mark.
			committed: Math.max(tail?.committed ?? 0, copy?.position ?? 0),
			archivedUpTo,
		};
	} catch (error) {
		await tail?.close();
		throw error;
	}
};

const isSameRange = (a: Damage, b: Damage): boolean => a.file === b.file && a.fromPosition === b.fromPosition && a.toPosition === b.toPosition;

/** Learns from records what a copy would have known. */
const learner =
	({ keyOf, identityOf, gapOf }: SegmentsOptions, dedup: Dedup, nowMs: number) =>
	(record: Uint8Array) => {
		const key = keyOf(record);
		if (key !== undefined) dedup.add(key, contentDigest(identityOf?.(record) ?? record), nowMs);
		const gap = gapOf?.(record);
		if (gap !== undefined) dedup.closeGap(gap);
	};

/** What was archived is part of what was stored: reads what came after `knownUpTo`. false: not all of it is there any more. */
const learnFromArchive = async (options: SegmentsOptions, facts: Facts, knownUpTo: number, learn: (record: Uint8Array) => void): Promise<boolean> => {
	const { files, mesh } = options;
	const folder = `${options.folder}/${ARCHIVE}`;
	const archived = (await segmentNames(options, folder)).map((name) => ({ folder, name }));
	const places = [...archived, ...facts.leftOver.map((name) => ({ folder: options.folder, name }))];
	let next = knownUpTo + 1;
	for (const [index, place] of places.entries()) {
		const following = places[index + 1]?.name ?? facts.names[0];
		const nextFirst = following === undefined ? facts.committed + 1 : (firstOfName(following) ?? 0);
		if (nextFirst <= next) continue;
		if ((firstOfName(place.name) ?? 0) > next) return false;
		const onRecord = (position: number, record: Uint8Array): void => {
			if (position > knownUpTo) learn(record);
		};
		const scanned = await scanSegment({ files, ...place, mesh, nextFirst, committed: 0, onRecord });
		if (scanned.damages.some((damage) => !facts.accepted.some((known) => isSameRange(known, damage)))) return false;
		next = nextFirst;
	}
	return next > facts.archivedUpTo;
};

interface Scanned {
	readonly found: readonly ScannedSegment[];
	readonly damages: readonly Damage[];
	/** Begun, but its header never was on disk, so nothing in it was acknowledged. */
	readonly unborn: string | undefined;
}

const scanAll = async (options: SegmentsOptions, facts: Facts, onRecord: (position: number, record: Uint8Array) => void): Promise<Scanned> => {
	const { files, folder, mesh } = options;
	const last = facts.names.at(-1);
	const isUnborn = last !== undefined && (firstOfName(last) ?? 0) > facts.committed && !(await hasHeader({ files, folder, name: last, mesh }));
	const names = isUnborn ? facts.names.slice(0, -1) : facts.names;
	const found: ScannedSegment[] = [];
	const first = firstOfName(names[0] ?? "") ?? facts.committed + 1;
	const missing = {
		file: names[0] ?? segmentName(facts.archivedUpTo + 1),
		fromOffset: 0,
		toOffset: 0,
		fromPosition: facts.archivedUpTo + 1,
		toPosition: first - 1,
	};
	const damages: Damage[] = first > facts.archivedUpTo + 1 ? [missing] : [];
	for (const [index, name] of names.entries()) {
		const nextFirst = firstOfName(names[index + 1] ?? "");
		const scanned = await scanSegment({ files, folder, name, mesh, nextFirst, committed: facts.committed, onRecord });
		found.push(scanned);
		damages.push(...scanned.damages);
	}
	return { found, damages, unborn: isUnborn ? last : undefined };
};

/** The end of the log made fit for the next record. */
const openActive = async (options: SegmentsOptions, scanned: Scanned, next: number): Promise<ActiveSegment> => {
	const { files, folder } = options;
	if (scanned.unborn !== undefined) {
		await removeIfThere(files, `${folder}/${scanned.unborn}`);
		// The log grows past it in the older segment: after a power cut it must not be there again.
		await files.syncFolder(folder);
	}
	const last = scanned.found.at(-1);
	if (last === undefined || last.isSpoilt) return createSegment(options, next);
	const file = await files.open(`${folder}/${last.segment.name}`, "write");
	try {
		if (last.tornAt !== undefined) await file.truncate(last.tornAt);
		// What the last owner had written but not synced is served from now on, so it has to be durable.
		await file.fdatasync();
	} catch (error) {
		await file.close();
		throw error;
	}
	return { segment: last.segment, file };
};

/** Everything that was cut short or damaged beside the records; a new folder says whose it is before it holds a segment. */
const mend = async (options: SegmentsOptions, facts: Facts): Promise<TailFile> => {
	const { files, folder, mesh } = options;
	let tail = facts.tail;
	if (facts.isFresh || tail === undefined) {
		await tail?.close();
		await removeIfThere(files, `${folder}/${TAIL}`);
		tail = await TailFile.create(files, folder, { committed: facts.committed, archivedUpTo: facts.archivedUpTo });
	} else await tail.settle();
	if (facts.isFresh || facts.damagedFiles.includes("VERSION")) await writeVersion(files, folder, mesh);
	if (facts.damagedFiles.includes("cursors")) await writeCursors(files, folder, facts.cursors);
	for (const name of facts.leftOver) await files.rename(`${folder}/${name}`, `${folder}/${ARCHIVE}/${name}`);
	if (facts.leftOver.length > 0) {
		await files.syncFolder(`${folder}/${ARCHIVE}`);
		await files.syncFolder(folder);
	}
	return tail;
};

/** What was found whole is durable now, whoever wrote it. */
const markFound = async (tail: TailFile, head: number): Promise<void> => {
	if (head <= tail.committed) return;
	await tail.commit(head);
	await tail.sync();
};

/** A folder that this process owns. Rejects with OrionError: RECORD_DAMAGED, FOLDER_NEWER, FOLDER_FOREIGN. */
export const openFolder = async (options: SegmentsOptions, nowMs: number): Promise<OpenedFolder> => {
	const facts = await readFacts(options, nowMs);
	let tail = facts.tail;
	try {
		const refuse = (file: string, offset: number): void => {
			if (options.acceptLoss !== true) throw new OrionError("RECORD_DAMAGED", { file: `${options.folder}/${file}`, offset });
		};
		for (const name of facts.damagedFiles) refuse(name, 0);
		const dedup = facts.copy?.dedup ?? new Dedup();
		const knownUpTo = facts.copy?.position ?? 0;
		const learn = learner(options, dedup, nowMs);
		const knowsArchive = knownUpTo >= facts.archivedUpTo || (await learnFromArchive(options, facts, knownUpTo, learn));
		if (!knowsArchive) refuse(DEDUP, 0);
		const scanned = await scanAll(options, facts, (position, record) => {
			if (position > knownUpTo) learn(record);
		});
		// The numbers before the first that is still known were in what is gone: they are not missing.
		if (!knowsArchive) for (const gap of dedup.gaps()) if (gap.fromSeq === 1) dedup.closeGap(gap);
		const newDamages = scanned.damages.filter((damage) => !facts.accepted.some((known) => isSameRange(known, damage)));
		for (const { file, fromOffset } of newDamages) refuse(file, fromOffset);
		const head = Math.max(facts.archivedUpTo, ...scanned.found.map(({ segment }) => (segment.records === 0 ? 0 : segment.lastPosition)));
		const next = Math.max(head, facts.committed, ...scanned.damages.map(({ toPosition }) => toPosition)) + 1;
		tail = await mend(options, facts);
		const active = await openActive(options, scanned, next);
		try {
			await markFound(tail, head);
		} catch (error) {
			await active.file.close();
			throw error;
		}
		const found = scanned.found.map(({ segment }) => segment);
		const segments = found.includes(active.segment) ? found : [...found, active.segment];
		return { tail, segments, active, dedup, copiedUpTo: facts.copiedUpTo, cursors: facts.cursors, newDamages, acceptedDamages: facts.accepted, head, next };
	} catch (error) {
		await tail?.close();
		throw error;
	}
};
