// Decides what a disk with little room still takes, and connects that to the disk, which is looked at every few seconds.
import type { Notice } from "./ports.ts";
import type { Timers } from "./world.ts";

/** `tight`: measurements are not recorded. `scarce`: what is left is kept for safety, receipts and decisions. */
export type Room = "enough" | "tight" | "scarce";

export interface DiskFacts {
	/** Of what this user may use. */
	readonly usedRatio: number;
	readonly freeBytes: number;
}

const MIB = 1_048_576;
const GIB = 1_024 * MIB;
/** Nothing but what must not be missing is written into this. */
const RESERVE_BYTES = 64 * MIB;
/** A ratio alone would have a large disk refuse with room for years. */
const TIGHT = { usedRatio: 0.85, freeBytes: 8 * GIB };
const SCARCE = { usedRatio: 0.95, freeBytes: 2 * GIB };
/** It gets better only when it is better by this much: what is let in again must not shut the door behind it. */
const CALM_RATIO = 0.01;
const CALM_BYTES = 1.25;

const RANK: Readonly<Record<Room, number>> = { enough: 0, tight: 1, scarce: 2 };

const exceeds = ({ usedRatio, freeBytes }: DiskFacts, bound: DiskFacts, calm: boolean): boolean =>
	usedRatio >= bound.usedRatio - (calm ? CALM_RATIO : 0) && freeBytes < bound.freeBytes * (calm ? CALM_BYTES : 1);

const judged = (disk: DiskFacts, calm: boolean): Room => {
	if (disk.freeBytes < RESERVE_BYTES * (calm ? CALM_BYTES : 1) || exceeds(disk, SCARCE, calm)) return "scarce";
	return exceeds(disk, TIGHT, calm) ? "tight" : "enough";
};

/** What the disk has room for now, after what it had room for before. */
export const roomAfter = (before: Room, disk: DiskFacts): Room => {
	const now = judged(disk, false);
	if (RANK[now] >= RANK[before]) return now;
	const calm = judged(disk, true);
	return RANK[calm] < RANK[before] ? calm : before;
};

const sayBytes = (bytes: number): string => (bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.floor(bytes / MIB)} MiB`);

/** For the operator; undefined: there is nothing to say. */
export const sayRoom = (room: Room, { usedRatio, freeBytes }: DiskFacts, folder: string): string | undefined => {
	if (room === "enough") return undefined;
	const fills = `the disk of ${folder} is ${Math.floor(usedRatio * 100)} % full, ${sayBytes(freeBytes)} left`;
	return room === "tight"
		? `${fills}: measurements are not recorded until there is room. Free some space there`
		: `${fills}, kept for safety, receipts and decisions: nodes keep what else they have until there is room. Free some space there`;
};

const LOOK_EVERY_MS = 5_000;

/** What an intake asks before it takes more. */
export interface RoomHere {
	readonly now: Room;
	readonly folder: string;
}

export interface DiskUnder {
	readonly folder: string;
	/** undefined: the system does not say; then there is room until a write says otherwise. */
	readonly facts: () => Promise<DiskFacts | undefined>;
}

export interface DiskRoomOptions extends DiskUnder {
	readonly timers: Timers;
	/** After each look, with what there was room for before it. */
	readonly looked: (room: Room, disk: DiskFacts | undefined, before: Room) => void;
}

export class DiskRoom implements RoomHere {
	readonly #options: DiskRoomOptions;
	#room: Room = "enough";
	#cancel: (() => void) | undefined;

	constructor(options: DiskRoomOptions) {
		this.#options = options;
	}

	get folder(): string {
		return this.#options.folder;
	}

	get now(): Room {
		return this.#room;
	}

	/** Resolves after the first look. */
	async start(): Promise<void> {
		this.#cancel = () => undefined;
		await this.#look();
	}

	stop(): void {
		this.#cancel?.();
		this.#cancel = undefined;
	}

	async #look(): Promise<void> {
		const disk = await this.#options.facts().catch(() => undefined);
		// Stopped meanwhile.
		if (this.#cancel === undefined) return;
		const before = this.#room;
		this.#room = disk === undefined ? "enough" : roomAfter(before, disk);
		this.#options.looked(this.#room, disk, before);
		this.#cancel = this.#options.timers.after(LOOK_EVERY_MS, () => void this.#look());
	}
}

/** One whose owner's notices say how it stands. */
export const toldRoom = (disk: DiskUnder, timers: Timers, notices: Map<string, Notice>): DiskRoom =>
	new DiskRoom({
		...disk,
		timers,
		looked: (room, found) => {
			const text = found === undefined ? undefined : sayRoom(room, found, disk.folder);
			if (text === undefined) notices.delete("disk");
			else notices.set("disk", { severity: room === "tight" ? "warning" : "error", text });
		},
	});
