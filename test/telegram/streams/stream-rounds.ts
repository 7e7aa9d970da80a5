// Connects seeds to streams of updates: runs them, counts what they held, and says how to have a failure again.
import { policyWith } from "../../support/engine.ts";
import { Stream } from "./stream.ts";

const SECOND_MS = 1_000;

export interface StreamsRan {
	readonly streams: number;
	readonly counts: ReadonlyMap<string, number>;
	readonly failures: readonly { readonly seed: number; readonly error: Error }[];
}

/** Questions that stand for less long, and are asked more often, than those that are shipped: more of them in a stream. */
const policy = (decideWithinMs: number) =>
	policyWith((shipped) => ({
		...shipped,
		...(shipped.approvals === undefined
			? {}
			: {
					approvals: {
						...shipped.approvals,
						decideWithinMs,
						executeWithinMs: 15 * SECOND_MS,
						askAgainAfterMs: 5 * SECOND_MS,
						askTimesMax: 20,
						asksPerHour: 100,
					},
				}),
	}));

export const runStreams = async (options: {
	readonly firstSeed: number;
	readonly streams: number;
	readonly failuresMax?: number;
	readonly say?: (line: string) => void;
}): Promise<StreamsRan> => {
	const { firstSeed, streams, failuresMax = 1, say = () => undefined } = options;
	const counts = new Map<string, number>();
	const did = (kind: string): void => void counts.set(kind, (counts.get(kind) ?? 0) + 1);
	// Where time is short it runs out; where it is long people answer in it.
	const given = [policy(12 * SECOND_MS), policy(45 * SECOND_MS)] as const;
	const failures: { seed: number; error: Error }[] = [];
	let ran = 0;
	for (let seed = firstSeed; seed < firstSeed + streams && failures.length < failuresMax; seed++) {
		ran += 1;
		try {
			await new Stream({ seed, policy: given[seed % 2 === 0 ? 0 : 1], forMs: 60 * SECOND_MS, endsWithinMs: 150 * SECOND_MS, did }).run();
		} catch (error) {
			failures.push({ seed, error: error instanceof Error ? error : new Error(String(error)) });
			say(`seed ${seed} failed: ${error instanceof Error ? error.message : String(error)}`);
		}
		if (ran % 500 === 0) say(`${ran} of ${streams} streams`);
	}
	return { streams: ran, counts, failures };
};
