// Decides who goes on asking for updates when two programs ask for those of one bot: whoever has it defends it once, whoever came later waits, looks now and then whether it is free, and takes nothing meanwhile.

/** Asked for so long without being disturbed, it is ours. */
export const HOLDS_AFTER_MS = 20_000;
/** Telegram ends the older of two questions, so whoever has the bot asks once more. */
const DEFENDS_AFTER_MS = 3_000;
const LOOKS_AFTER_MS = 30_000;
const LOOKS_AFTER_MAX_MS = 120_000;
/** Longer than whoever has the bot takes to defend it, and to confirm what it has read. */
const PATIENCE_MS = 10_000;

export interface Claim {
	/** first: nobody else was heard of; holds: it is ours; defends: ours, and somebody disturbed it; looks: it is somebody else's. */
	readonly stage: "first" | "holds" | "defends" | "looks";
	/** Since when it was asked for without being disturbed, milliseconds. */
	readonly sinceMs?: number;
	/** How often in a row it was found to be somebody else's. */
	readonly conflicts: number;
	/** The oldest update that a look found: still there after a while, nobody reads them. Asked for without waiting, which disturbs nobody. */
	readonly unread?: number;
}

export interface Polled {
	/** Milliseconds of one clock. */
	readonly beganMs: number;
	readonly endedMs: number;
	/** Number of the oldest update that came. */
	readonly oldest?: number | undefined;
}

export interface Turn {
	readonly claim: Claim;
	/** Before it is asked again. */
	readonly waitMs: number;
	/** What came is ours to deal with. If not, nothing of it may be confirmed. */
	readonly take: boolean;
}

export const UNCLAIMED: Claim = { stage: "first", conflicts: 0 };

const waits = (conflicts: number): Turn => ({
	claim: { stage: "looks", conflicts },
	waitMs: Math.min(LOOKS_AFTER_MS * 2 ** (conflicts - 1), LOOKS_AFTER_MAX_MS),
	take: false,
});

/** Updates came, or none within the time that was waited for them. */
export const polled = (claim: Claim, { beganMs, endedMs, oldest }: Polled): Turn => {
	const { stage, conflicts, unread } = claim;
	const sinceMs = claim.sinceMs ?? beganMs;
	const ours: Turn = { claim: { stage: "holds", conflicts: 0, sinceMs }, waitMs: 0, take: true };
	if (stage === "looks") {
		// Somebody confirmed what was there a moment ago.
		if (unread !== undefined && unread !== oldest) return waits(conflicts + 1);
		if (oldest !== undefined) return unread === oldest ? ours : { claim: { ...claim, sinceMs, unread: oldest }, waitMs: PATIENCE_MS, take: false };
		return endedMs - sinceMs >= HOLDS_AFTER_MS ? ours : { claim: { ...claim, sinceMs }, waitMs: 0, take: false };
	}
	return endedMs - sinceMs >= HOLDS_AFTER_MS ? ours : { claim: { stage, conflicts, sinceMs }, waitMs: 0, take: true };
};

/** Telegram says that another question for updates has ended this one. */
export const conflicted = ({ stage, conflicts }: Claim): Turn =>
	stage === "holds" ? { claim: { stage: "defends", conflicts: 0 }, waitMs: DEFENDS_AFTER_MS, take: false } : waits(conflicts + 1);

/** Telegram was not reached: who has the bot by now is not known. */
export const lost = ({ stage, conflicts }: Claim): Claim => (stage === "looks" ? { stage, conflicts } : UNCLAIMED);
