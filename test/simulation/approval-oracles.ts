// Decides whether questions, answers and what ran after them may stand in the log together: written anew from the promises, knowing nothing of the engine's own state.
import type { Envelope } from "../../contracts/envelope.ts";
import type { Level, Policy } from "../../core/policy.ts";

interface Answered {
	readonly position: number;
	readonly verdict: string;
	readonly atMs: number;
}

interface Question {
	readonly asked: Envelope<"dev.orion.approval.requested.v1">["data"];
	readonly answers: Answered[];
	end: { readonly end: string; readonly cause: number } | undefined;
	used: boolean;
}

type Must = (holds: boolean, promise: string, what: string) => void;

/** What was in force at the cause of a record. */
export interface At {
	readonly cause: number;
	readonly engineMs: number;
	readonly level: Level;
	readonly policy: Policy | undefined;
}

export class ApprovalOracles {
	readonly #must: Must;
	readonly #questions = new Map<string, Question>();
	/** Answers to what is not known (yet) count for nothing, so nobody has to remember them. */
	used = 0;

	constructor(must: Must) {
		this.#must = must;
	}

	asks({ data }: Envelope<"dev.orion.approval.requested.v1">, verdict: string | undefined): void {
		const { approval, incident } = data;
		this.#must(verdict === "ask", "HARM-30", `${approval} is asked by a decision that says ${verdict}`);
		this.#must(!this.#questions.has(approval), "HARM-38", `${approval} is asked twice`);
		const open = [...this.#questions.values()].find(({ asked, end }) => asked.incident === incident && end === undefined);
		this.#must(open === undefined, "HARM-38", `${approval} is asked while ${open?.asked.approval} asks about ${incident}`);
		this.#questions.set(approval, { asked: data, answers: [], end: undefined, used: false });
	}

	answers(position: number, { data, source }: Envelope<"dev.orion.approval.decided.v1">, atMs: number): void {
		const question = this.#questions.get(data.approval);
		if (question === undefined || source.startsWith("/nodes/") || data.boundHash !== question.asked.boundHash) return;
		question.answers.push({ position, verdict: data.verdict, atMs });
	}

	closes({ data }: Envelope<"dev.orion.approval.closed.v1">, { cause, engineMs }: At): void {
		const question = this.#questions.get(data.approval);
		this.#must(question !== undefined, "TELL-20", `${data.approval} ends and was never asked`);
		if (question === undefined) return;
		this.#must(question.end === undefined, "HARM-39", `${data.approval} ends ${question.end?.end} and ${data.end}`);
		question.end = { end: data.end, cause };
		const { decideByEngineMs } = question.asked;
		if (data.end === "expired") this.#must(engineMs > decideByEngineMs, "HARM-33", `${data.approval} expires at ${engineMs}, before ${decideByEngineMs}`);
		if (data.end === "denied" || data.end === "revoked") {
			const verdict = data.end === "denied" ? "deny" : "revoke";
			this.#must(
				question.answers.some((answer) => answer.verdict === verdict && answer.position <= cause),
				"TELL-20",
				`${data.approval} is ${data.end}, and nobody said so`,
			);
		}
	}

	runs(approval: string, { data }: Envelope<"dev.orion.action.requested.v1">, { cause, engineMs, level, policy }: At): void {
		const question = this.#questions.get(approval);
		this.#must(question !== undefined, "HARM-32", `${data.action} rests on ${approval}, which was never asked`);
		if (question === undefined) return;
		const { asked, answers, end } = question;
		this.#must(!question.used, "HARM-32", `${approval} is used twice`);
		question.used = true;
		this.used += 1;
		this.#must(end?.end === "approved" && end.cause === cause, "HARM-39", `${data.action} runs although ${approval} is ${end?.end ?? "open"}`);
		const yes = answers.find(({ verdict, position, atMs }) => verdict === "approve" && position < cause && atMs < asked.decideByEngineMs);
		this.#must(yes !== undefined, "HARM-32", `${data.action} runs, and nobody approved ${approval} in time`);
		const no = answers.find(({ verdict, position }) => verdict !== "approve" && position < cause);
		this.#must(no === undefined, "HARM-34", `${data.action} runs, and ${approval} was answered ${no?.verdict} at ${no?.position}`);
		this.#must(engineMs <= (yes?.atMs ?? 0) + asked.executeWithinMs, "HARM-37", `${data.action} runs on an answer that is too old`);
		const same =
			asked.incident === data.incident && asked.node === data.node && asked.name === data.name && JSON.stringify(asked.args) === JSON.stringify(data.args);
		this.#must(same, "HARM-35", `${data.action} is another one than ${approval} asked for`);
		this.#must(asked.policyHash === data.policyHash && asked.session === data.session, "HARM-36", `${data.action} runs under another policy or session`);
		const risk = policy?.actions.find(({ id }) => id === data.name)?.risk ?? "RISKY";
		const gate = policy?.gate.find((row) => row.level.includes(level) && row.risk.includes(risk));
		this.#must(level === "N3" && gate?.verdict === "ask", "HARM-31", `${data.name} runs at ${level}: the gate says ${gate?.verdict}`);
	}
}
