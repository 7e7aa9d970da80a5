// Connects what people say to a question to the log, and tells them whether it counted and what came of it.
import type { RecordTypes } from "../../contracts/envelope.ts";
import { type Fault, fail, fault } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { Approval, EngineState, LevelAsk } from "../state.ts";
import { type Journal, noteOnce } from "./journal.ts";
import type { ApprovalAnswer, ApprovalDesk } from "./ports.ts";
import type { World } from "./world.ts";

interface Parts {
	readonly journal: Pick<Journal, "append" | "tick" | "note" | "read">;
	readonly mesh: string;
	/** Decides on everything that is durable, and then knows what is so. */
	readonly state: () => EngineState;
	readonly idle: () => Promise<void>;
	readonly world: Pick<World, "timers">;
}

type Refused = RecordTypes["dev.orion.approval.refused.v1"];

const WHOLE_ID = /^apr-[0-9a-f]{12}$/;
/** A yes counts as soon as engine time has moved on: that takes milliseconds, or core is in trouble. */
const LOOK_EVERY_MS = 5;
const LOOKS_MAX = 1_000;
const ANSWER_RECORDS_MAX = 256;

const sourceOf = (via: ApprovalAnswer["via"]): string => (via === "telegram" ? "/core/telegram" : "/core/operator");

/** Everything that a person is or was asked. */
export const questionsOf = (state: EngineState): readonly (Approval | LevelAsk)[] => [...Object.values(state.approvals), ...(state.chat?.levelAsks ?? [])];

/** Named by its id or the beginning of it. Faults: NOT_FOUND, AMBIGUOUS. */
export const findApproval = (state: EngineState, named: string): Result<Approval | LevelAsk> => {
	const meant = questionsOf(state).filter(({ id }) => id === named || (named !== "" && id.startsWith(named)));
	const [first, second] = meant;
	if (first === undefined) return fail("NOT_FOUND", { what: "question", id: named, detail: "See: orion approvals --all" });
	return second === undefined ? ok(first) : fail("AMBIGUOUS", { id: named, candidates: meant.map(({ id }) => id).join(", ") });
};

/** Over before the answer came, or answered otherwise; anything else is what the policy does not let pass. */
const OVER: readonly Refused["reason"][] = ["late", "denied", "expired", "superseded", "revoked"];

const faultOf = ({ approval, reason, detail }: Refused): Fault =>
	reason === "unknown"
		? fault("NOT_FOUND", { what: "question", id: approval, detail: "See: orion approvals --all" })
		: fault(OVER.includes(reason) ? "APPROVAL_OVER" : "APPROVAL_REFUSED", { approval, reason, detail });

/** What the engine said about the answer at this position; undefined: it counted. */
const refusalOf = async ({ journal }: Parts, position: number): Promise<Refused | undefined> => {
	const said = await journal.read(position + 1, ANSWER_RECORDS_MAX);
	for (const { envelope } of said) if (envelope.type === "dev.orion.approval.refused.v1" && envelope.data.position === position) return envelope.data;
	return undefined;
};

const decide = async (parts: Parts, answer: ApprovalAnswer, id: string | undefined): ReturnType<ApprovalDesk["decideApproval"]> => {
	const { journal, mesh, state, idle, world } = parts;
	const found = findApproval(state(), answer.approval);
	// An id that was never asked is answered by a record too; the beginning of one is not.
	if (!found.ok && !WHOLE_ID.test(answer.approval)) return found;
	const approval = found.ok ? found.value.id : answer.approval;
	// Who says no, or takes a question back, need not have seen every word of it.
	const boundHash = answer.boundHash ?? (found.ok && answer.verdict !== "approve" ? found.value.asked.boundHash : undefined);
	const { verdict, by, via, why } = answer;
	const data = { approval, verdict, by, via, ...(boundHash === undefined ? {} : { boundHash }), ...(why === undefined ? {} : { why }) };
	// Deadlines are held to the moment of the answer, not to the newest clock record before it.
	await journal.tick();
	const [source, type] = [sourceOf(via), "dev.orion.approval.decided.v1"] as const;
	const position = await (id === undefined
		? journal.note(source, type, data, approval)
		: noteOnce(journal, { id, source, type, subject: approval, mesh, data }));
	await idle();
	const statusNow = (): Approval["status"] | undefined => questionsOf(state()).find(({ id: each }) => each === approval)?.status;
	for (let look = 0; look < LOOKS_MAX && statusNow() === "answered"; look++) {
		await new Promise<void>((resolve) => world.timers.after(LOOK_EVERY_MS, resolve));
		await idle();
	}
	const refused = position === undefined ? undefined : await refusalOf(parts, position);
	if (refused !== undefined) return { ok: false, fault: faultOf(refused) };
	return ok({ approval, status: statusNow() ?? "void", position: position ?? 0 });
};

const undo = async (parts: Parts, order: RecordTypes["dev.orion.approval.undone.v1"]): ReturnType<ApprovalDesk["undoApproval"]> => {
	const found = findApproval(parts.state(), order.approval);
	if (!found.ok) return found;
	const { id: approval } = found.value;
	if ("level" in found.value) return fail("USAGE", { detail: `a level is taken back by setting another one: orion level ${found.value.before}` });
	const position = await parts.journal.note(sourceOf(order.via), "dev.orion.approval.undone.v1", { ...order, approval }, approval);
	await parts.idle();
	const refused = await refusalOf(parts, position);
	if (refused !== undefined) return { ok: false, fault: faultOf(refused) };
	return ok({ approval, action: parts.state().approvals[approval]?.undo?.id ?? "", position });
};

export const approvalDesk = (parts: Parts): ApprovalDesk => ({
	decideApproval: (answer, id) => decide(parts, answer, id),
	undoApproval: (order) => undo(parts, order),
	sawApproval: async (named, by, via) => {
		const found = findApproval(parts.state(), named);
		if (!found.ok) return found;
		const { id, seen } = found.value;
		// Once each: who looks again and again fills no log.
		if (!seen.includes(`${by} (${via})`)) {
			await parts.journal.note(sourceOf(via), "dev.orion.approval.seen.v1", { approval: id, by, via }, id);
			await parts.idle();
		}
		return ok({ approval: id });
	},
});
