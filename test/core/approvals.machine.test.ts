// Shows the table of a question: every status with everything that can happen to it, which of several things counts, and that each guard of its own holds alone.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideApprovals } from "../../core/approvals/approvals.ts";
import { type ApprovalStatus, type Happening, isLive, isStronger, next, settled } from "../../core/approvals/machine.ts";
import { decideRuns } from "../../core/commander/runs.ts";
import { EngineRig, inputOf, types } from "../support/engine.ts";

const HAPPENINGS: readonly Happening[] = ["revoke", "deny", "supersede", "void", "expire", "honour", "approve"];

/** Written again and otherwise: status, then what follows from each of HAPPENINGS; "-" changes nothing, "!x" refuses an answer. */
const EXPECTED: Readonly<Record<ApprovalStatus, readonly string[]>> = {
	open: ["revoked", "denied", "superseded", "void", "expired", "-", "answered"],
	answered: ["revoked", "denied", "superseded", "void", "-", "approved", "!used"],
	approved: ["!used", "!used", "-", "-", "-", "-", "!used"],
	denied: ["!denied", "!denied", "-", "-", "-", "-", "!denied"],
	expired: ["!expired", "!expired", "-", "-", "-", "-", "!expired"],
	superseded: ["!superseded", "!superseded", "-", "-", "-", "-", "!superseded"],
	revoked: ["!revoked", "!revoked", "-", "-", "-", "-", "!revoked"],
	void: ["!void", "!void", "-", "-", "-", "-", "!void"],
};
const STATUSES = Object.keys(EXPECTED) as readonly ApprovalStatus[];

describe("the table (HARM-34)", () => {
	test.each(STATUSES)("%s", (status) => {
		const said = HAPPENINGS.map((happening) => {
			const to = next(status, happening);
			return to === undefined ? "-" : typeof to === "string" ? to : `!${to.refused}`;
		});
		expect(said).toEqual(EXPECTED[status]);
	});
	test("what has ended never changes, whatever holds", () => {
		for (const status of STATUSES) if (!isLive(status)) expect(settled(status, new Set(HAPPENINGS))).toBeUndefined();
	});
	test("of all that may hold at once, doing nothing wins: only a yes alone is honoured", () => {
		for (let bits = 0; bits < 2 ** HAPPENINGS.length; bits++) {
			const holds = new Set(HAPPENINGS.filter((_, index) => (bits & (2 ** index)) !== 0));
			const against = holds.has("revoke") || holds.has("deny") || holds.has("supersede") || holds.has("void");
			expect(settled("answered", holds)?.end === "approved").toBe(holds.has("honour") && !against);
			expect(settled("open", holds)?.end).not.toBe("approved");
			if (holds.has("deny") && !holds.has("revoke")) expect(settled("open", holds)?.end).toBe("denied");
		}
	});
	test("a no takes the place of a yes, a withdrawal of both, and nothing takes its own place", () => {
		const order = ["approve", "deny", "revoke"] as const;
		for (const [left, answer] of order.entries()) for (const [right, than] of order.entries()) expect(isStronger(answer, than)).toBe(left > right);
	});
});

const asking = (): EngineRig => {
	const rig = new EngineRig({ level: "N3" });
	rig.tick(1_000);
	rig.alert("service-runaway", "pi-1", { labels: { service: "web" } });
	return rig;
};

test("HARM-38: a decision that asks for what is asked already leaves the question as it stands", () => {
	const rig = asking();
	const [made] = rig.all("dev.orion.decision.made.v1").slice(-1);
	if (made === undefined) throw new Error("nothing was decided");
	expect(decideApprovals(rig.state, { position: 0, envelope: { ...made, data: { ...made.data, decision: "dec-0000000000000000" } } })).toEqual([]);
});

test("HARM-32: an approval that was used lets nothing run, whatever says so once more", () => {
	const rig = asking();
	const id = Object.keys(rig.state.approvals)[0] ?? "";
	const boundHash = rig.state.approvals[id]?.asked.boundHash ?? "";
	rig.feed("/core/operator", "dev.orion.approval.decided.v1", { approval: id, verdict: "approve", boundHash, by: "anna", via: "cli" });
	rig.tick(1);
	rig.receipt(rig.action(), "failed");
	expect(rig.state.actions).toEqual({});
	const [closed] = rig.all("dev.orion.approval.closed.v1");
	if (closed === undefined) throw new Error("it did not end");
	expect(decideRuns(rig.state, { position: 0, envelope: closed })).toEqual([]);
});

test("HARM-33: random answers to random questions at random times: nothing runs that nobody approved in time", () => {
	const word = fc.record({
		kind: fc.constantFrom("approve", "deny", "tick", "tick", "alert", "resolved", "level", "receipt"),
		ms: fc.integer({ min: 1, max: 700_000 }),
		pick: fc.nat(3),
	});
	fc.assert(
		fc.property(fc.array(word, { maxLength: 40 }), (words) => {
			const rig = asking();
			const yes = new Set<string>();
			for (const { kind, ms, pick } of words) {
				const open = Object.values(rig.state.approvals).find(({ status }) => isLive(status));
				if (kind === "tick") rig.tick(ms);
				else if (kind === "alert") rig.alert("service-runaway", "pi-1", { labels: { service: "web" } });
				else if (kind === "resolved") rig.feed("/nodes/pi-1", "dev.orion.alert.resolved.v1", { name: "service-runaway" });
				else if (kind === "level") rig.level((["N0", "N2", "N3", "N3"] as const)[pick] ?? "N3");
				else if (kind === "receipt")
					for (const id of Object.keys(rig.state.actions)) rig.receipt(id, (["failed", "done", "refused", "unknown"] as const)[pick] ?? "failed");
				else if (open !== undefined) {
					const verdict = kind === "approve" ? "approve" : "deny";
					if (verdict === "approve" && rig.engineMs < open.asked.decideByEngineMs) yes.add(open.id);
					const { boundHash } = open.asked;
					rig.feed("/core/operator", "dev.orion.approval.decided.v1", { approval: open.id, verdict, boundHash, by: "anna", via: "cli" });
				}
			}
			const ran = rig.all("dev.orion.action.requested.v1").map(({ data }) => data.approval ?? "none");
			expect(new Set(ran).size).toBe(ran.length);
			for (const approval of ran) expect(yes.has(approval)).toBe(true);
		}),
		{ numRuns: 150 },
	);
}, 30_000);

test("an answer from a node is not even refused: it is no answer (HARM-35)", () => {
	const rig = asking();
	const id = Object.keys(rig.state.approvals)[0] ?? "";
	const forged = inputOf(rig.records.length + 1, "/nodes/pi-1", "dev.orion.approval.decided.v1", { approval: id, verdict: "deny", by: "anna", via: "cli" });
	expect(types(decideApprovals(rig.state, forged) as never)).toEqual([]);
});
