// Shows when a person is asked, that only a good answer in time lets one action run, and that everything else lets nothing run.
import { describe, expect, test } from "vitest";
import type { RecordTypes } from "../../contracts/envelope.ts";
import { Replay } from "../../core/memory/replay.ts";
import type { Approval } from "../../core/state.ts";
import { bytesOf, EngineRig, MESH, policyWith, SESSION, types } from "../support/engine.ts";

type Decided = RecordTypes["dev.orion.approval.decided.v1"];

/** A rig at N3 with one question: may `web` be stopped, which ends again and again? */
class AskingRig extends EngineRig {
	constructor(options: ConstructorParameters<typeof EngineRig>[0] = {}) {
		super({ level: "N3", ...options });
		this.tick(1_000);
	}
	flapping(service = "web") {
		return this.feed("/nodes/pi-1", "dev.orion.process.flapping.v1", { service, downs: 3, windowMs: 60_000 });
	}
	stopped(service = "web") {
		return this.feed("/nodes/pi-1", "dev.orion.process.stopped.v1", { service, why: "action" });
	}
	/** The newest question. */
	question(): Approval {
		const newest = Object.values(this.state.approvals).at(-1);
		if (newest === undefined) throw new Error("nobody was asked");
		return newest;
	}
	answer(verdict: Decided["verdict"], more: Partial<Decided> = {}, source = "/core/operator") {
		const { id, asked } = this.question();
		const data: Decided = { approval: id, verdict, boundHash: asked.boundHash, by: "anna", via: "cli", ...more };
		return this.feed(source, "dev.orion.approval.decided.v1", data);
	}
	asked(): AskingRig {
		this.flapping();
		return this;
	}
	ends(): readonly string[] {
		return this.all("dev.orion.approval.closed.v1").map(({ data }) => data.end);
	}
	refusals(): readonly string[] {
		return this.all("dev.orion.approval.refused.v1").map(({ data }) => data.reason);
	}
}

const MINUTE_MS = 60_000;

describe("asking", () => {
	test("HARM-30: at N3 a RISKY remedy asks, and nothing runs", () => {
		const rig = new AskingRig();
		expect(types(rig.flapping())).toEqual(["incident.opened", "decision.made", "approval.requested"]);
		expect(rig.state.actions).toEqual({});
		const { asked } = rig.question();
		expect(asked).toMatchObject({ name: "process.stop", args: { service: "web" }, targets: ["pi-1/web"], risk: "RISKY", times: 1, undo: "left-as-found" });
		expect(asked.decideByEngineMs - rig.engineMs).toBe(10 * MINUTE_MS);
		expect(asked.blast).toContain("web on pi-1 and every process");
		expect(asked.evidence.length).toBe(1);
	});
	test("HARM-31: at N2 it is refused with the reason, at N0 it is only said; nobody is asked", () => {
		const rig = new AskingRig({ level: "N2" });
		rig.flapping();
		const [made] = rig.all("dev.orion.decision.made.v1").slice(-1);
		expect(made?.data).toMatchObject({ verdict: "refused", risk: "RISKY" });
		expect(made?.data.why).toContain("needs N3");
		expect(new AskingRig({ level: "N0" }).flapping().some(({ type }) => type.includes("approval"))).toBe(false);
		expect(types(rig.level("N3"))).toEqual(["decision.made", "approval.requested"]);
	});
	test("HARM-30: an alert that a row names asks about the service in its label; one without the row does not", () => {
		const rig = new AskingRig();
		expect(types(rig.alert("service-runaway", "pi-1", { labels: { service: "web" } }))).toContain("approval.requested");
		expect(rig.question().asked.args).toEqual({ service: "web" });
		expect(types(new AskingRig().alert("backup", "pi-1", { labels: { service: "web" } }))).not.toContain("approval.requested");
	});
});

describe("answers", () => {
	test("HARM-32: a yes in time lets it run once, carries the approval, and is over", () => {
		const rig = new AskingRig().asked();
		rig.tick(1_000);
		expect(types(rig.answer("approve"))).toEqual([]);
		expect(types(rig.tick(1))).toEqual(["approval.closed", "action.requested"]);
		const [requested] = rig.all("dev.orion.action.requested.v1");
		expect(requested?.data).toMatchObject({ approval: rig.question().id, name: "process.stop", session: SESSION, notAfterMs: 10_000 });
		expect(rig.question()).toMatchObject({ status: "approved", by: "anna", via: "cli", action: { id: requested?.data.action } });
		expect(types(rig.answer("approve"))).toEqual(["approval.refused"]);
		expect(rig.refusals()).toEqual(["used"]);
		rig.tick(MINUTE_MS);
		expect(rig.all("dev.orion.action.requested.v1").length).toBe(1);
		expect(rig.ends()).toEqual(["approved"]);
	});
	test("HARM-32: what ran after a yes is verified like everything else", () => {
		const rig = new AskingRig().asked();
		rig.answer("approve");
		rig.tick(1);
		const action = rig.action();
		rig.dispatched(action);
		rig.receipt(action, "done");
		rig.stopped();
		rig.tick(3_000);
		expect(rig.incident()).toMatchObject({ status: "resolved", resolvedHow: "repaired" });
		expect(rig.question().action).toEqual({ id: action, end: "verified" });
	});
	test("HARM-33: a no ends it at once; it is not asked again for 30 minutes, and then it is", () => {
		const rig = new AskingRig().asked();
		expect(types(rig.answer("deny", { why: "I look at it" }))).toEqual(["approval.closed", "decision.made"]);
		expect(rig.question()).toMatchObject({ status: "denied", why: "I look at it" });
		rig.feed("/nodes/pi-1", "dev.orion.process.flapping.v1", { service: "web", downs: 4, windowMs: 60_000 });
		for (let minute = 0; minute < 29; minute++) {
			rig.flapping();
			rig.tick(MINUTE_MS);
		}
		expect(rig.all("dev.orion.approval.requested.v1").length).toBe(1);
		rig.flapping();
		rig.tick(MINUTE_MS + 1);
		expect(rig.question().asked.times).toBe(2);
		expect(rig.state.actions).toEqual({});
	});
	test("HARM-33: silence is no: it expires after its time and not a moment before", () => {
		const rig = new AskingRig().asked();
		rig.tick(5 * MINUTE_MS);
		rig.flapping();
		rig.tick(5 * MINUTE_MS);
		expect(rig.question().status).toBe("open");
		rig.tick(1);
		expect(rig.question().status).toBe("expired");
		expect(rig.state.actions).toEqual({});
	});
	test("HARM-34: on the deadline itself a yes is late and a no counts", () => {
		const late = new AskingRig().asked();
		late.tick(5 * MINUTE_MS);
		late.flapping();
		late.tick(5 * MINUTE_MS);
		late.answer("approve");
		expect(late.refusals()).toEqual(["late"]);
		late.answer("deny");
		expect(late.ends()).toEqual(["denied"]);
		late.tick(MINUTE_MS);
		expect(late.state.actions).toEqual({});
	});
	test("HARM-34: in the same moment a no, a withdrawal or a lower level takes a yes back", () => {
		for (const [stronger, end] of [
			["deny", "denied"],
			["revoke", "revoked"],
		] as const) {
			const rig = new AskingRig().asked();
			rig.answer("approve");
			rig.tick(0);
			rig.answer(stronger, { by: "bert" });
			rig.tick(1);
			expect([rig.ends(), rig.question().by, rig.state.actions]).toEqual([[end], "bert", {}]);
		}
		const lowered = new AskingRig().asked();
		lowered.answer("approve");
		lowered.level("N2");
		lowered.tick(1);
		expect([lowered.ends(), lowered.refusals(), lowered.state.actions]).toEqual([["void"], ["drift"], {}]);
	});
	test("HARM-35: an answer to something else, to nothing, or from a node counts for nothing", () => {
		const rig = new AskingRig().asked();
		rig.answer("approve", { boundHash: `sha256:${"0".repeat(64)}` });
		const { boundHash: _hash, ...unbound }: Decided = { approval: rig.question().id, verdict: "approve", boundHash: "", by: "anna", via: "cli" };
		rig.feed("/core/operator", "dev.orion.approval.decided.v1", unbound);
		rig.answer("approve", { approval: "apr-000000000000" });
		expect(rig.refusals()).toEqual(["foreign-hash", "foreign-hash", "unknown"]);
		rig.answer("approve", {}, "/nodes/pi-1");
		rig.tick(1);
		expect(rig.question().status).toBe("open");
		expect(rig.state.actions).toEqual({});
	});
});

describe("what changes meanwhile", () => {
	test("HARM-36: an incident that is over takes the question with it", () => {
		const rig = new AskingRig().asked();
		rig.stopped();
		expect(rig.ends()).toEqual(["superseded"]);
		rig.answer("approve");
		expect(rig.refusals()).toEqual(["superseded"]);
	});
	test("HARM-36: a policy that changed makes it void, and it is asked anew under the new one", () => {
		const rig = new AskingRig().asked();
		const { id, asked } = rig.question();
		rig.policy(policyWith((policy) => ({ ...policy, limits: { ...policy.limits, askTimesMax: 7 } })));
		expect(rig.ends()).toEqual(["void"]);
		expect(rig.question().id).not.toBe(id);
		expect(rig.question().asked.boundHash).not.toBe(asked.boundHash);
	});
	test("HARM-36: a node that left supersedes it; when it is back it is asked anew", () => {
		const rig = new AskingRig().asked();
		rig.presence("pi-1", "lost", 2);
		expect(rig.ends()).toEqual(["superseded"]);
		rig.presence("pi-1", "ready", 3, "2.00112233445566aa");
		expect(rig.question()).toMatchObject({ status: "open", asked: { session: "2.00112233445566aa" } });
	});
	test("HARM-36: a node that started anew between the question and the yes makes it void with that reason", () => {
		const rig = new AskingRig().asked();
		rig.presence("pi-1", "ready", 1, "2.00112233445566aa");
		rig.answer("approve");
		rig.tick(1);
		expect(rig.all("dev.orion.approval.closed.v1")[0]?.data).toMatchObject({ end: "void", why: "pi-1 has started anew since it was asked" });
		expect(rig.state.actions).toEqual({});
		expect(rig.question().status).toBe("open");
	});
	test("HARM-37: after a downtime of unknown length every question is void; after a known one its deadline decides", () => {
		const unknown = new AskingRig().asked();
		const before = unknown.question().id;
		unknown.started(null);
		expect(unknown.ends()).toEqual(["void"]);
		expect(unknown.question().id).not.toBe(before);
		const known = new AskingRig().asked();
		known.started(9 * MINUTE_MS, known.engineMs + 9 * MINUTE_MS);
		expect(known.question().status).toBe("open");
		known.started(2 * MINUTE_MS, known.engineMs + 2 * MINUTE_MS);
		expect(known.ends()).toEqual(["expired"]);
	});
	test("HARM-37: a yes that core slept over is not carried out when it is older than allowed", () => {
		const rig = new AskingRig().asked();
		rig.answer("approve");
		rig.started(61_000, rig.engineMs + 61_000);
		expect(rig.ends()).toEqual(["void"]);
		expect(rig.all("dev.orion.action.requested.v1")).toEqual([]);
		const young = new AskingRig().asked();
		young.answer("approve");
		young.started(59_000, young.engineMs + 59_000);
		expect(young.ends()).toEqual(["approved"]);
		expect(young.all("dev.orion.action.requested.v1")[0]?.data.notAfterMs).toBe(1_000);
	});
});

describe("how often", () => {
	test("HARM-38: the same question stands once, however often it is decided again", () => {
		const rig = new AskingRig().asked();
		rig.level("N3");
		rig.started(0);
		rig.presence("pi-1", "ready", 1);
		rig.flapping();
		expect(rig.all("dev.orion.approval.requested.v1").length).toBe(1);
		expect(rig.question().status).toBe("open");
	});
	test("HARM-38: nobody is asked for ever: after three questions without an answer a person is called, and asking waits for one", () => {
		const rig = new AskingRig().asked();
		for (let round = 0; round < 30; round++) {
			rig.flapping();
			rig.tick(5 * MINUTE_MS + 1);
		}
		expect(rig.ends()).toEqual(["expired", "expired", "expired"]);
		expect(rig.all("dev.orion.person.asked.v1").length).toBe(1);
		rig.level("N3");
		expect(rig.question()).toMatchObject({ status: "open", asked: { times: 4 } });
	});
	test("HARM-38: one node cannot ask more than six times an hour, and does not keep another from asking", () => {
		const rig = new AskingRig({ nodes: ["pi-1", "pi-2"] });
		rig.about(
			"pi-1",
			Array.from({ length: 9 }, (_, index) => `s${index}`),
		);
		for (let index = 0; index < 9; index++) rig.flapping(`s${index}`);
		expect(rig.all("dev.orion.approval.requested.v1").length).toBe(6);
		expect(types(rig.feed("/nodes/pi-2", "dev.orion.process.flapping.v1", { service: "web", downs: 3, windowMs: 1_000 }))).toContain("approval.requested");
	});
});

describe("taking it back (TELL-23)", () => {
	const undo = (rig: AskingRig, source = "/core/operator") =>
		rig.feed(source, "dev.orion.approval.undone.v1", { approval: rig.question().id, by: "anna", via: "cli" });
	/** Approved, stopped, verified. */
	const stopped = (): AskingRig => {
		const rig = new AskingRig().asked();
		rig.answer("approve");
		rig.tick(1);
		rig.receipt(rig.action(), "done");
		rig.stopped();
		rig.tick(3_000);
		return rig;
	};
	test("what was stopped is started again, once, and done is done", () => {
		const rig = stopped();
		expect(types(undo(rig))).toEqual(["action.requested"]);
		const [, back] = rig.all("dev.orion.action.requested.v1");
		expect(back?.data).toMatchObject({ name: "process.restart", args: { service: "web" }, undoes: rig.question().id });
		expect(back?.data.approval).toBeUndefined();
		rig.receipt(rig.action(), "done");
		expect(rig.question()).toMatchObject({ action: { end: "verified" }, undo: { id: back?.data.action, end: "verified" } });
		undo(rig);
		expect(rig.refusals()).toEqual(["used"]);
		expect(rig.all("dev.orion.action.requested.v1").length).toBe(2);
	});
	test("nothing is taken back that did not run, is under way, at N0, on a node that is away, or because a node says so", () => {
		const open = new AskingRig().asked();
		undo(open);
		open.answer("approve");
		open.tick(1);
		undo(open);
		expect(open.refusals()).toEqual(["drift", "drift"]);
		const rig = stopped();
		expect(undo(rig, "/nodes/pi-1")).toEqual([]);
		rig.level("N0");
		undo(rig);
		rig.level("N2");
		rig.presence("pi-1", "lost", 2);
		undo(rig);
		expect(rig.refusals()).toEqual(["drift", "drift"]);
		expect(rig.all("dev.orion.action.requested.v1").length).toBe(1);
		const unknown = rig.feed("/core/operator", "dev.orion.approval.undone.v1", { approval: "apr-000000000000", by: "anna", via: "cli" });
		expect(types(unknown)).toEqual(["approval.refused"]);
	});
	test("the card says before how it is taken back", () => {
		expect(new AskingRig().asked().question().asked.undoSays).toContain("orion approvals undo");
	});
});

test("TELL-20: who saw it is kept, once each; the whole log gives the same bytes again", () => {
	const rig = new AskingRig().asked();
	for (const via of ["cli", "page", "cli"] as const) rig.feed("/core/operator", "dev.orion.approval.seen.v1", { approval: rig.question().id, by: "anna", via });
	expect(rig.question().seen).toEqual(["anna (cli)", "anna (page)"]);
	rig.answer("approve");
	rig.answer("deny");
	rig.tick(1);
	const replay = new Replay(MESH);
	for (const record of bytesOf(rig.records)) replay.push(record);
	replay.finish();
	expect(replay.divergence).toBeUndefined();
	expect(replay.state).toEqual(rig.state);
});
