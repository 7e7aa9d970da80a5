// Connects the chat to the mesh: what is asked, what is so, and the few things that a chat may change.
import { randomBytes } from "node:crypto";
import type { RecordType, RecordTypes } from "../../../contracts/envelope.ts";
import { fail } from "../../../contracts/errors.ts";
import { ok, type Result } from "../../../contracts/result.ts";
import { isLive } from "../../approvals/machine.ts";
import type { Level } from "../../policy.ts";
import { openIncidents } from "../../state.ts";
import { evidenceOf } from "../evidence.ts";
import { why } from "../http-why.ts";
import type { CoreDesk } from "../ports.ts";
import type { Threads } from "../threads.ts";
import { type Seen, statusView } from "../views.ts";
import { approvalsView } from "../views-approvals.ts";
import type { Ask, ChatDesk } from "./ports.ts";
import { whyText } from "./why-text.ts";

export interface MeshDeskOptions {
	readonly desk: Pick<CoreDesk, "info" | "records" | "state" | "onRecords" | "decideApproval" | "sawApproval" | "setLevel" | "stop">;
	readonly threads: Threads;
	readonly seen: () => Seen;
	/** Engine time now, milliseconds. */
	readonly engineMs: () => number;
	readonly record: <T extends RecordType>(type: T, data: RecordTypes[T]) => Promise<void>;
	readonly notice: (text: string | undefined) => void;
}

/** How long an ask for a higher level stands. */
const LEVEL_DECIDE_WITHIN_MS = 600_000;
const ASKS_MAX = 200;
const ENDED_SHOWN_MS = 86_400_000;
const INCIDENTS_MAX = 50;

const statusText = (seen: Seen): string => {
	const { sentence, level, levelSays, nodes, notices } = statusView(seen);
	return [
		`${sentence[0]?.toUpperCase() ?? ""}${sentence.slice(1)}.`,
		`Level ${level}: ${levelSays}`,
		...nodes.map((node) => `${node.node}: ${node.presence}`),
		...notices.map(({ text }) => `! ${text}`),
	].join("\n");
};

const incidentsText = ({ state }: Seen): string => {
	const open = openIncidents(state);
	if (open.length === 0) return "No incident is open.";
	const rows = open.slice(0, INCIDENTS_MAX).map(({ id, severity, title }) => `${severity}: ${title} (${id})`);
	return [...rows, ...(open.length > INCIDENTS_MAX ? [`and ${open.length - INCIDENTS_MAX} more: orion incidents`] : [])].join("\n");
};

export class MeshDesk implements ChatDesk {
	readonly #options: MeshDeskOptions;
	readonly #listeners = new Set<() => void>();

	constructor(options: MeshDeskOptions) {
		this.#options = options;
	}

	asks(): readonly Ask[] {
		const seen = this.#options.seen();
		const { approvals } = approvalsView(seen, { status: "all", limit: ASKS_MAX });
		const recent = approvals.filter(
			({ status, decidedAt }) => status === "open" || (decidedAt !== undefined && seen.wallMs - Date.parse(decidedAt) < ENDED_SHOWN_MS),
		);
		return recent.sort((left, right) => (left.askedAt < right.askedAt ? -1 : 1));
	}

	onChange(listener: () => void): () => void {
		this.#listeners.add(listener);
		const stop = this.#options.desk.onRecords(listener);
		return () => {
			this.#listeners.delete(listener);
			stop();
		};
	}

	async decide({ approval, verdict, boundHash, by, why: reason, id }: Parameters<ChatDesk["decide"]>[0]): Promise<Result<{ readonly end: string }>> {
		const { desk } = this.#options;
		const said = reason === undefined ? {} : { why: reason };
		const decided = await desk.decideApproval({ approval, verdict, boundHash, by, via: "telegram", ...said }, id);
		return decided.ok ? ok({ end: decided.value.status }) : decided;
	}

	async saw(approval: string, by: string): Promise<void> {
		await this.#options.desk.sawApproval(approval, by, "telegram");
	}

	status(): string {
		return statusText(this.#options.seen());
	}
	incidents(): string {
		return incidentsText(this.#options.seen());
	}
	async why(id: string): Promise<Result<string>> {
		const { desk, threads, seen } = this.#options;
		const [newest] = openIncidents(seen().state);
		const about = id === "" ? (newest?.id ?? "") : id;
		if (about === "") return ok("No incident is open.");
		const found = await why(desk, threads, seen(), about);
		return found.ok ? ok(whyText(found.value)) : found;
	}

	level(): Level {
		return this.#options.seen().state.level;
	}
	async lower(level: Level, by: string): Promise<void> {
		await this.#options.desk.setLevel(level, by, "lowered in a chat");
	}
	async raise(level: Level, by: string): Promise<Result<{ readonly approval: string }>> {
		const before = this.level();
		if (this.#options.seen().state.chat?.levelAsks.some((ask) => ask.level === level && isLive(ask.status)))
			return fail("USAGE", { detail: `level ${level} is asked for already: answer there` });
		const id = `apr-${randomBytes(6).toString("hex")}`;
		const asked = { ask: id, level, before, by, via: "telegram", decideWithinMs: LEVEL_DECIDE_WITHIN_MS };
		await this.#options.record("dev.orion.level.asked.v1", asked);
		for (const listener of this.#listeners) listener();
		return ok({ approval: id });
	}

	async stop(by: string): Promise<string> {
		const { nodes } = await this.#options.desk.stop("stop", "all", by, "telegram");
		if (nodes.length === 0) return "The order to stop is out; no node is known.";
		return ["The order to stop is out.", ...nodes.map(({ node, ms, safety }) => `${node}: ${ms === null ? "SILENT" : `${safety} after ${ms} ms`}`)].join("\n");
	}

	async picture(approval: string): ReturnType<ChatDesk["picture"]> {
		const incident = this.asks().find((ask) => ask.approval === approval)?.incident;
		return incident === undefined || incident === "" ? undefined : evidenceOf(this.#options.desk, incident);
	}

	record: ChatDesk["record"] = (type, data) => this.#options.record(type, data);
	notice(text: string | undefined): void {
		this.#options.notice(text);
	}
	engineMs(): number {
		return this.#options.engineMs();
	}
}
