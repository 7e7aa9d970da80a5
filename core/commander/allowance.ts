// Decides what each node may do by itself while it hears no core, and sums up what it did when it is back: uses are given back by time alone, never by coming and going.

import type { RecordTypes } from "../../contracts/envelope.ts";
import { type Envelope, nodeOfSource, sessionCounter } from "../../contracts/envelope.ts";
import type { Policy } from "../policy.ts";
import { type Draft, draft, type Recorded } from "../record.ts";
import { type EngineState, put, rowOf, without } from "../state.ts";
import type { Allowance } from "./alone.ts";

type Granted = RecordTypes["dev.orion.allowance.granted.v1"];

const PART = "commander";
/** Time alone for which one grant is good. */
const VALID_MS = 7 * 24 * 3_600_000;
const RECONCILIATIONS_MAX = 50;
const RECORDS_MAX = 1_000;

const fresh: Allowance = {
	number: 0,
	reconciled: 0,
	left: {},
	countedThen: {},
	counter: 0,
	validMs: VALID_MS,
	usedMs: {},
	counted: {},
	acted: [],
	refused: [],
};

const isCounted = (state: EngineState, withinMs: number) => (ms: number) => state.clock.engineMs - ms < withinMs;

/** What is left of each row now. */
const leftOf = (state: EngineState, policy: Policy, { usedMs }: Allowance): Readonly<Record<string, number>> =>
	Object.fromEntries((policy.alone ?? []).map((row) => [row.id, Math.max(0, row.uses - (usedMs[row.id] ?? []).filter(isCounted(state, row.withinMs)).length)]));

const sameTable = (left: Readonly<Record<string, number>>, right: Readonly<Record<string, number>>): boolean => {
	const names = Object.keys(left);
	return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name]);
};

const grant = (state: EngineState, node: string, before: Allowance, why: Granted["why"], reconciled: number): readonly Draft[] => {
	const { policy } = state;
	const view = rowOf(state.nodes, node);
	if (policy === null || view === undefined) return [];
	const left = leftOf(state, policy, before);
	const counter = Math.max(before.counter, sessionCounter(view.session));
	return [
		draft(
			PART,
			"dev.orion.allowance.granted.v1",
			{ node, number: before.number + 1, counter, reconciled, validMs: VALID_MS, left: { ...left }, counted: { ...before.counted }, why },
			undefined,
			node,
		),
	];
};

/** Everything that concerns a node that came back, in one place; and what it may do the next time. */
const reconcile = (state: EngineState, { data, source }: Envelope<"dev.orion.alone.ended.v1">): readonly Draft[] => {
	const node = nodeOfSource(source);
	if (node === undefined || rowOf(state.nodes, node) === undefined) return [];
	const before = rowOf(state.allowances, node) ?? fresh;
	const sinceMs = state.clock.engineMs - data.aloneMs;
	const incidents = Object.values(state.incidents).flatMap((incident) =>
		incident.node === node && (incident.status === "open" || (incident.resolvedMs ?? 0) >= sinceMs) ? [incident.id] : [],
	);
	const made = {
		node,
		grant: data.grant,
		aloneMs: data.aloneMs,
		acted: [...before.acted],
		refused: [...before.refused],
		incidents: incidents.slice(0, RECORDS_MAX),
	};
	const nothing = made.acted.length === 0 && made.refused.length === 0;
	const again =
		(state.policy?.alone ?? []).length === 0 || (nothing && data.acted === 0)
			? []
			: grant(state, node, before, "reconciled", Math.max(before.reconciled, data.grant));
	return [draft(PART, "dev.orion.reconciliation.made.v1", made, undefined, node), ...again];
};

/** A node that is ready gets its first grant; one whose uses came back by time, or whose rows changed, a new one. Not while it has something to account for. */
const renew = (state: EngineState, node: string, why: "time" | "policy"): readonly Draft[] => {
	const { policy } = state;
	const view = rowOf(state.nodes, node);
	if (policy === null || (policy.alone ?? []).length === 0 || view?.state !== "ready") return [];
	const before = rowOf(state.allowances, node);
	if (before === undefined || before.number === 0) return grant(state, node, before ?? fresh, "first", 0);
	if (before.acted.length > 0 || before.refused.length > 0 || sameTable(before.left, leftOf(state, policy, before))) return [];
	return grant(state, node, before, why, before.reconciled);
};

export const decideAllowances = (state: EngineState, { envelope }: Recorded): readonly Draft[] => {
	switch (envelope.type) {
		case "dev.orion.alone.ended.v1":
			return reconcile(state, envelope);
		case "dev.orion.node.state.v1":
			return envelope.data.state === "ready" ? renew(state, nodeOfSource(envelope.source) ?? "", "time") : [];
		case "dev.orion.clock.tick.v1":
			return Object.keys(state.allowances).flatMap((node) => renew(state, node, "time"));
		case "dev.orion.policy.activated.v1":
			return Object.keys(state.nodes).flatMap((node) => renew(state, node, "policy"));
		default:
			return [];
	}
};

const change = (state: EngineState, source: string, by: (before: Allowance) => Allowance): EngineState => {
	const node = nodeOfSource(source);
	return node === undefined ? state : { ...state, allowances: put(state.allowances, node, by(rowOf(state.allowances, node) ?? fresh)) };
};

/** Of a use that a dying node could not tell, the next one tells; more than that no row allows. */
const UNTOLD_MAX = 1_000;

/** Uses that no longer count are forgotten with the next one. */
const used = (state: EngineState, before: Allowance, { row, uses }: RecordTypes["dev.orion.alone.acted.v1"]): Pick<Allowance, "usedMs" | "counted"> => {
	const withinMs = state.policy?.alone?.find(({ id }) => id === row)?.withinMs ?? VALID_MS;
	const known = rowOf(before.counted, row) ?? 0;
	const told = Math.max(known, uses ?? known + 1);
	const times = new Array<number>(Math.min(UNTOLD_MAX, Math.max(1, told - known))).fill(state.clock.engineMs);
	return {
		usedMs: { ...before.usedMs, [row]: [...(rowOf(before.usedMs, row) ?? []).filter(isCounted(state, withinMs)), ...times] },
		counted: { ...before.counted, [row]: told },
	};
};

export const foldAllowances = (state: EngineState, { envelope, position }: Recorded): EngineState => {
	switch (envelope.type) {
		case "dev.orion.alone.acted.v1":
			return change(state, envelope.source, (before) => ({
				...before,
				...used(state, before, envelope.data),
				acted: [...before.acted, position].slice(-RECORDS_MAX),
			}));
		case "dev.orion.alone.refused.v1":
			return change(state, envelope.source, (before) => ({ ...before, refused: [...before.refused, position].slice(-RECORDS_MAX) }));
		case "dev.orion.allowance.granted.v1": {
			const { node, number, reconciled, left, counted: countedThen = {}, counter, validMs } = envelope.data;
			const before = rowOf(state.allowances, node) ?? fresh;
			const bundlePosition = envelope.causeposition ?? position;
			return { ...state, bundlePosition, allowances: put(state.allowances, node, { ...before, number, reconciled, left, countedThen, counter, validMs }) };
		}
		case "dev.orion.reconciliation.made.v1": {
			const { data } = envelope;
			const before = rowOf(state.allowances, data.node) ?? fresh;
			const made = { ...data, wallMs: state.clock.wallMs };
			const reconciliations = [...state.reconciliations, made].slice(-RECONCILIATIONS_MAX);
			return { ...state, reconciliations, allowances: put(state.allowances, data.node, { ...before, acted: [], refused: [] }) };
		}
		case "dev.orion.level.set.v1":
		case "dev.orion.policy.activated.v1":
			// A level that an approved ask raised has its cause's position: its own is not known before it is on disk.
			return { ...state, bundlePosition: envelope.causeposition ?? position };
		case "dev.orion.node.removed.v1":
			return { ...state, bundlePosition: position, allowances: without(state.allowances, envelope.data.node) };
		default:
			return state;
	}
};
