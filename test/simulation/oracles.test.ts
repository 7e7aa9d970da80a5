// Shows that the oracles are no decoration: each log that breaks a promise is named by the promise that it breaks, and a good one by none.
import { describe, expect, test } from "vitest";
import type { Envelope } from "../../contracts/envelope.ts";
import type { Recorded } from "../../core/record.ts";
import { EngineRig } from "../support/engine.ts";
import { Oracles } from "./oracles.ts";

const WITHIN_MS = 20_000;
const COOLDOWN_MS = 5_000;

/** Restarted and verified, then twice in vain, then left alone. */
const good = (): readonly Recorded[] => {
	const rig = new EngineRig();
	const attempt = (helps: boolean): void => {
		rig.dispatched(rig.action());
		rig.receipt(rig.action(), "done");
		if (helps) rig.up();
		rig.tick(helps ? 3_000 : WITHIN_MS);
		rig.tick(COOLDOWN_MS);
	};
	rig.down();
	attempt(true);
	rig.down();
	attempt(false);
	attempt(false);
	return rig.records;
};

/** Asked, seen by nobody, approved, stopped. */
const approved = (): readonly Recorded[] => {
	const rig = new EngineRig({ level: "N3" });
	rig.tick(1_000);
	rig.alert("service-runaway", "pi-1", { labels: { service: "web" } });
	const [question] = Object.values(rig.state.approvals);
	if (question === undefined) throw new Error("nobody was asked");
	const { id: approval, asked } = question;
	rig.feed("/core/operator", "dev.orion.approval.decided.v1", { approval, verdict: "approve", boundHash: asked.boundHash, by: "anna", via: "cli" });
	rig.tick(1);
	rig.dispatched(rig.action());
	return rig.records;
};

const read = (records: readonly Recorded[]): string => {
	const oracles = new Oracles();
	try {
		for (const record of records) oracles.read(record);
		return "";
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	}
};

const ofType = (type: string) => (record: Recorded) => record.envelope.type === `dev.orion.${type}.v1`;
type Spoil = (records: readonly Recorded[]) => readonly Recorded[];

/** Changes the data of the first record of a type; other positions stay. */
const changed =
	(type: string, change: object, more: object = {}): Spoil =>
	(records) => {
		const at = records.findIndex(ofType(type));
		return records.map((record, index) =>
			index === at ? { ...record, envelope: { ...record.envelope, ...more, data: { ...record.envelope.data, ...change } } as Envelope } : record,
		);
	};

/** Makes another record, of no meaning, of the first of a type. */
const hidden = (type: string): Spoil => {
	return (records) => {
		const at = records.findIndex(ofType(type));
		const said = { type: "dev.orion.person.asked.v1", data: { incident: "x", why: "x", suggestion: "x" } };
		return records.map((record, index) => (index === at ? { ...record, envelope: { ...record.envelope, ...said } as unknown as Envelope } : record));
	};
};

const BAD: readonly (readonly [name: string, promise: string, spoil: Spoil])[] = [
	["a record twice", "LOSS-2", (records) => [...records.slice(0, 5), ...records.slice(4)]],
	[
		"an id twice",
		"LOSS-4",
		(records) =>
			records.map((record, at) => (at === 9 ? { ...record, envelope: { ...record.envelope, id: "in-1", source: "/core/policy" } as Envelope } : record)),
	],
	[
		"a torn batch",
		"LOSS-2",
		(records) => {
			const at = records.findIndex(ofType("decision.made"));
			const [decision, request] = [records[at], records[at + 1]];
			if (decision === undefined || request === undefined) return records;
			const between = {
				...request,
				position: decision.position + 1,
				envelope: {
					...request.envelope,
					id: "other",
					source: "/core/operator",
					type: "dev.orion.node.added.v1",
					data: { node: "x", by: "x" },
				} as unknown as Envelope,
			};
			return [...records.slice(0, at + 1), between, ...records.slice(at + 1).map((record) => ({ ...record, position: record.position + 1 }))];
		},
	],
	["an incident without its records", "TELL-5", changed("incident.opened", { events: [] })],
	["an incident from the future", "TELL-5", changed("incident.opened", { events: [999] })],
	["a decision about nothing", "TELL-5", hidden("incident.opened")],
	["a decision at another level", "HARM-1", changed("decision.made", { level: "N3" })],
	["an action without a decision", "HARM-1", hidden("decision.made")],
	["an action that no decision allows", "HARM-1", changed("decision.made", { verdict: "wait" })],
	["an action at N0", "HARM-2", (records) => changed("decision.made", { level: "N0" })(changed("level.set", { level: "N0" })(records))],
	["another action than was decided", "TELL-5", changed("action.requested", { name: "process.stop" })],
	["a command without a request", "HARM-3", changed("action.dispatched", { action: "act-other" })],
	["a repair that nobody verified", "HARM-5", hidden("outcome.verified")],
	["a repair of something else", "HARM-5", changed("incident.resolved", { action: "act-other" })],
	["a verification before it was done", "HARM-5", changed("action.receipt", { phase: "started" })],
	["an end that is not what happened", "HARM-5", changed("action.closed", { end: "refused" })],
	[
		"engine time that goes back",
		"HARM-7",
		(records) => {
			const early = { ...records.find(ofType("clock.tick"))?.envelope, id: "late", data: { engineMs: 1 } } as unknown as Envelope;
			return [...records, { position: records.length + 1, envelope: early }];
		},
	],
];

const BAD_APPROVALS: readonly (readonly [name: string, promise: string, spoil: Spoil])[] = [
	["a question that no decision asks", "HARM-30", changed("decision.made", { verdict: "wait" })],
	["a yes to something else", "HARM-32", changed("approval.decided", { boundHash: `sha256:${"0".repeat(64)}` })],
	["a yes from a node", "HARM-32", changed("approval.decided", {}, { source: "/nodes/pi-1" })],
	["no answer at all", "HARM-32", hidden("approval.decided")],
	["a no for a yes", "HARM-32", changed("approval.decided", { verdict: "deny" })],
	["a yes that came too late", "HARM-32", changed("approval.requested", { decideByEngineMs: 1_000 })],
	["a yes that is too old", "HARM-37", changed("approval.requested", { executeWithinMs: 0 })],
	["an end without an approval", "HARM-39", changed("approval.closed", { end: "superseded" })],
	["an action without its end", "HARM-39", hidden("approval.closed")],
	["another action than was asked for", "HARM-35", changed("approval.requested", { args: { service: "db" } })],
	["another session", "HARM-36", changed("approval.requested", { session: "9.00112233445566aa" })],
	["an action that nobody asked for", "HARM-32", hidden("approval.requested")],
	["an approval that is left out", "HARM-1", changed("action.requested", { approval: undefined })],
	["another level", "HARM-1", changed("level.set", { level: "N2" })],
];

describe("the oracles", () => {
	test("find nothing in a good log of an approval", () => {
		expect(read(approved())).toBe("");
	});
	test.each(BAD_APPROVALS)("%s breaks %s", (_name, promise, spoil) => {
		expect(read(spoil(approved()))).toMatch(new RegExp(`^(${promise}|TELL-20) `));
	});
	test("find nothing in a good log", () => {
		expect(read(good())).toBe("");
	});

	test.each(BAD)("%s breaks %s", (_name, promise, spoil) => {
		expect(read(spoil(good()))).toMatch(new RegExp(`^${promise} `));
	});

	test("a third attempt after two failed ones, before its time (HARM-6)", () => {
		const records = good();
		const oracles = new Oracles();
		for (const record of records) oracles.read(record);
		const requested = records.findLast(ofType("action.requested"));
		const decided = records.findLast(({ envelope }) => envelope.type === "dev.orion.decision.made.v1" && envelope.data.verdict === "act");
		if (requested === undefined || decided === undefined) throw new Error("nothing was tried");
		const cause = records.findLast(({ envelope }) => envelope.causeposition === undefined)?.position ?? 0;
		const again = (record: Recorded, change: object, position: number): Recorded => ({
			position,
			envelope: { ...record.envelope, id: `third-${position}`, causeposition: cause, data: { ...record.envelope.data, ...change } } as Envelope,
		});
		// Outputs of the newest input: nothing of it stands in the log yet.
		oracles.read({
			position: records.length + 1,
			envelope: { ...records[2]?.envelope, id: "new", data: { level: "N2", by: "test" }, type: "dev.orion.level.set.v1" } as Envelope,
		});
		const fresh = { causeposition: records.length + 1 };
		const decision = again(decided, { decision: "dec-third" }, records.length + 2);
		oracles.read({ ...decision, envelope: { ...decision.envelope, ...fresh } as Envelope });
		const request = again(requested, { decision: "dec-third", action: "act-third" }, records.length + 3);
		expect(() => oracles.read({ ...request, envelope: { ...request.envelope, ...fresh } as Envelope })).toThrow(/^HARM-6 /);
	});

	test("a second effect of one command, and an effect that nothing was sent for (HARM-3, HARM-1)", () => {
		const oracles = new Oracles();
		for (const record of good()) oracles.read(record);
		const sent = good().find(ofType("action.dispatched"))?.envelope.data as { action: string };
		oracles.executed(sent.action);
		expect(() => oracles.executed(sent.action)).toThrow(/^HARM-3 /);
		expect(() => oracles.executed("act-other")).toThrow(/^HARM-1 /);
	});
});
