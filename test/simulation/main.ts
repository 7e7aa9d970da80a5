// Connects seeds to worlds: runs them, holds each against itself under another wall clock, counts what was reached, and says how to have a failure again.
import type { Envelope } from "../../contracts/envelope.ts";
import type { Recorded } from "../../core/record.ts";
import type { LoadedPolicy } from "../../core/service/policies.ts";
import { actionWith, limitsWith, policyWith, shippedPolicy } from "../support/engine.ts";
import { Coverage } from "./coverage.ts";
import { type SimOptions, SimWorld } from "./world.ts";

const MINUTE_MS = 60_000;
const SHIFT_MS = 47 * 365 * 24 * 60 * MINUTE_MS;

const policies = (): readonly [LoadedPolicy, ...LoadedPolicy[]] => [
	shippedPolicy(),
	actionWith({ cooldownMs: 20_000, clearForMs: 8_000, breakerOpenMs: 5 * MINUTE_MS }),
	limitsWith({ reopenWithinMs: MINUTE_MS, askTimesMax: 2, receiptWithinMs: 4_000 }),
	policyWith((policy) => ({ ...policy, remedies: [] })),
	policyWith((policy) => ({ ...policy, actions: policy.actions.map((rule) => ({ ...rule, risk: "RISKY" as const })) })),
];

/** A record without what only says when, in the names of this run: ids of core's own records are not from the seed. */
const timeless = (records: readonly Recorded[]): readonly string[] => {
	const names = new Map<string, string>();
	const named = (id: string): string => {
		if (!names.has(id)) names.set(id, `#${names.size}`);
		return names.get(id) ?? id;
	};
	const id = /\b(?:(?:inc|dec|act|apr)-[0-9a-f]{6,}|[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21})\b/g;
	return records.map(({ envelope }) => {
		const { time: _time, recordedtime: _recorded, traceparent: _trace, ...rest } = envelope;
		const data =
			envelope.type === "dev.orion.clock.tick.v1"
				? { ...envelope.data, wallMs: 0 }
				: envelope.type === "dev.orion.action.dispatched.v1"
					? { ...envelope.data, jws: "" }
					: envelope.type === "dev.orion.approval.requested.v1"
						? { ...envelope.data, decideBy: "" }
						: envelope.data;
		return JSON.stringify({ ...rest, data } as Envelope).replace(id, named);
	});
};

const firstDifference = (left: readonly string[], right: readonly string[]): string | undefined => {
	const at = left.findIndex((text, index) => text !== right[index]);
	return at < 0 && left.length === right.length ? undefined : `record ${at + 1}: ${left[at]}\n  and ${right[at]}`;
};

export interface Ran {
	readonly seeds: number;
	readonly records: number;
	readonly starts: number;
	readonly executions: number;
	readonly repaired: number;
	/** Actions that ran because a person said so. */
	readonly approved: number;
	readonly coverage: Coverage;
	readonly failures: readonly { readonly seed: number; readonly error: Error }[];
}

export interface RunOptions {
	readonly firstSeed: number;
	readonly seeds: number;
	readonly say?: (line: string) => void;
	/** Stop after so many. */
	readonly failuresMax?: number;
}

export const runSeeds = async ({ firstSeed, seeds, say = () => undefined, failuresMax = 1 }: RunOptions): Promise<Ran> => {
	const coverage = new Coverage();
	const given = policies();
	const failures: { seed: number; error: Error }[] = [];
	const sum = { records: 0, starts: 0, executions: 0, repaired: 0, approved: 0 };
	let ran = 0;
	for (let seed = firstSeed; seed < firstSeed + seeds && failures.length < failuresMax; seed++) {
		ran += 1;
		const options: SimOptions = {
			seed,
			policies: given,
			faultsForMs: 4 * MINUTE_MS,
			healsWithinMs: seed % 2 === 0 ? 60 * MINUTE_MS : 0,
			wallShiftMs: 0,
			coverage,
		};
		const world = new SimWorld(options);
		try {
			await world.run();
			// Every fourth seed once more, with another wall clock.
			if (seed % 4 === 1) {
				const again = new SimWorld({ ...options, wallShiftMs: SHIFT_MS });
				await again.run();
				const difference = firstDifference(timeless(world.records), timeless(again.records));
				if (difference !== undefined) throw new Error(`HARM-7: another wall clock, another log: ${difference}`);
			}
		} catch (error) {
			failures.push({ seed, error: error instanceof Error ? error : new Error(String(error)) });
			say(`seed ${seed} failed: ${error instanceof Error ? error.message : String(error)}`);
		}
		sum.records += world.records.length;
		sum.starts += world.starts;
		sum.approved += world.oracles.approvals.used;
		sum.executions += world.oracles.executions.size;
		sum.repaired += world.records.filter(({ envelope }) => envelope.type === "dev.orion.incident.resolved.v1" && envelope.data.how === "repaired").length;
		if (ran % 100 === 0) say(`${ran} of ${seeds} seeds`);
	}
	return { seeds: ran, ...sum, coverage, failures };
};
