// Decides how numbers that were lost are told: as few ranges as there are.
import type { Lane } from "../../contracts/envelope.ts";

export interface Range {
	readonly session: string;
	readonly lane: Lane;
	readonly fromSeq: number;
	readonly toSeq: number;
}

export interface Loss extends Range {
	readonly count: number;
	readonly bytes: number;
}

/** By code units: the same on every host. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Joins ranges of one session and lane that touch. */
export const joined = (losses: readonly Loss[]): readonly Loss[] => {
	const out: Loss[] = [];
	const sorted = [...losses].sort((a, b) => compare(a.session, b.session) || compare(a.lane, b.lane) || a.fromSeq - b.fromSeq);
	for (const loss of sorted) {
		const last = out.at(-1);
		if (last !== undefined && last.session === loss.session && last.lane === loss.lane && loss.fromSeq <= last.toSeq + 1) {
			const toSeq = Math.max(last.toSeq, loss.toSeq);
			out[out.length - 1] = { ...last, toSeq, count: toSeq - last.fromSeq + 1, bytes: last.bytes + loss.bytes };
		} else out.push(loss);
	}
	return out;
};

/** Whether a range overlaps one of the losses, or stands right beside it. */
export const touchesAny = ({ session, lane, fromSeq, toSeq }: Range, losses: readonly Loss[]): boolean =>
	losses.some((loss) => loss.session === session && loss.lane === lane && fromSeq <= loss.toSeq + 1 && loss.fromSeq <= toSeq + 1);
