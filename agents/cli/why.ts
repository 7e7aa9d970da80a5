// Decides how `orion why` reads: a card from what happened to what would change it, one section a question that a person asks.
import { OrionError } from "../../contracts/errors.ts";
import { sayDuration } from "../../contracts/time.ts";
import type { WhyView } from "../../core/service/http-why.ts";
import type { IncidentsView } from "../../core/service/views.ts";
import { gravityStyle, phaseStyle, verdictStyle } from "./colours.ts";
import { clockTime, plain, wrap } from "./layout.ts";
import type { Session } from "./session.ts";
import { gravest } from "./status.ts";

type Decision = WhyView["decisions"][number];
type Action = WhyView["actions"][number];
type Approval = WhyView["approvals"][number];
type Row = WhyView["timeline"][number];

const EVENTS_SHOWN_MAX = 12;
const EARLIER_SHOWN_MAX = 5;
const ASKED_SHOWN_MAX = 5;
const ACTIONS_SHOWN_MAX = 2;
const BREAKER_SHOWN_MAX = 6;
const LABEL_WIDTH = 13;

class Card {
	readonly lines: string[] = [];
	readonly #session: Session;
	readonly #now: string;

	constructor(session: Session, now: string) {
		this.#session = session;
		this.#now = now;
	}

	section(title: string): void {
		if (this.lines.length > 0) this.lines.push("");
		this.lines.push(this.#session.paint.bold(title));
	}

	/** One line, or several with a deeper indent. */
	line(text: string): void {
		this.lines.push(`  ${wrap(text, this.#session.width, "      ")}`);
	}

	/** A label once, and its texts below each other. */
	labelled(label: string, texts: readonly string[]): void {
		const indent = " ".repeat(2 + LABEL_WIDTH);
		for (const [index, text] of texts.entries()) {
			const begin = `  ${(index === 0 ? label : "").padEnd(LABEL_WIDTH)}`;
			this.lines.push(`${this.#session.paint.dim(begin)}${wrap(text, this.#session.width, indent)}`);
		}
	}

	row({ at, position, text, gravity }: Row): void {
		const begin = `  ${clockTime(at, this.#now)}  ${`#${position}`.padEnd(7)} `;
		const { paint, width } = this.#session;
		this.lines.push(`${paint.dim(begin)}${gravityStyle(paint, gravity)(wrap(plain(text), width, " ".repeat(begin.length)))}`);
	}

	text(text: string): void {
		this.lines.push(`  ${wrap(text, this.#session.width, "  ")}`);
	}
}

const title = ({ paint, width }: Session, card: Card, answer: WhyView): void => {
	const { incident, levelAsk, subject, at } = answer;
	if (levelAsk !== undefined) {
		card.lines.push(wrap(`${paint.bold(`may the level be ${levelAsk.level} instead of ${levelAsk.before}?`)}  ${paint.dim(levelAsk.id)}`, width, ""));
		return;
	}
	if (incident === undefined) {
		card.lines.push(wrap(paint.bold(`${subject.kind} ${plain(subject.id)}`), width, ""));
		return;
	}
	card.lines.push(wrap(`${paint.bold(plain(incident.title))}  ${paint.dim(incident.id)}`, width, ""));
	const facts = [gravityStyle(paint, incident.severity)(incident.severity), `since ${clockTime(incident.openedAt, at)}`];
	if (incident.status === "open") facts.push(paint.red("open"));
	else facts.push(paint.green(`${incident.resolvedHow === "repaired" ? "repaired" : "cleared by itself"} at ${clockTime(incident.resolvedAt ?? "", at)}`));
	if (incident.reopened > 0) facts.push(`came back ${incident.reopened}x`);
	if (subject.kind !== "incident") facts.push(`asked about ${subject.kind} ${plain(subject.id)}`);
	card.lines.push(wrap(facts.join(paint.dim(" · ")), width, ""));
};

const said = (value: string | number | boolean | undefined, unit: string | undefined): string =>
	value === undefined ? "" : plain(`${String(value)}${unit === undefined ? "" : ` ${unit}`}`);

const factText = ({ paint }: Session, fact: Decision["facts"][number]): string => {
	const value = said(fact.value, fact.unit);
	const bound = fact.threshold === undefined ? "" : ` (bound: ${said(fact.threshold, fact.unit)})`;
	const where = fact.position === undefined ? "" : paint.dim(` #${fact.position}`);
	const text = `${plain(fact.name)}${value === "" ? "" : `: ${value}`}${bound}${where}`;
	return fact.ok === false ? paint.yellow(text) : text;
};

/** The whole decision, as TELL-4 promises it. */
const decided = (session: Session, card: Card, decision: Decision, at: string): void => {
	const { paint } = session;
	const style = verdictStyle(paint, decision.verdict);
	const what = decision.action === undefined ? "" : ` ${decision.action}${decision.risk === undefined ? "" : ` (${decision.risk})`}`;
	card.line(
		`${paint.dim(clockTime(decision.at, at))}  ${style(decision.verdict.toUpperCase())}${what} at ${decision.level}  ${paint.dim(`${decision.id} #${decision.position}`)}`,
	);
	card.labelled("", [plain(decision.why)]);
	if (decision.because !== undefined) {
		const { type, text, position } = decision.because;
		card.labelled("because", [`${type === "dev.orion.clock.tick.v1" ? "time passed" : plain(text)} ${paint.dim(`#${position}`)}`]);
	}
	card.labelled(
		"facts",
		decision.facts.map((fact) => factText(session, fact)),
	);
	const rows = decision.rows.filter((row) => row.matched).map((row) => `${paint.cyan(row.at)}  ${plain(`${row.id}, ${row.detail}`)}`);
	card.labelled("rows", rows);
	card.labelled(
		"not matched",
		decision.rows.filter((row) => !row.matched).map((row) => paint.dim(plain(`${row.at}  ${row.id}, ${row.detail}`))),
	);
	card.labelled(
		"guards",
		decision.guards.map(({ guard, ok, detail }) => `${ok ? paint.green("pass") : paint.red("STOP")} ${guard}: ${plain(detail)}`),
	);
	card.labelled(
		"would change",
		decision.change.map((text) => plain(text)),
	);
};

/** Receipts that follow each other without a reason, in one line. */
const together = (steps: Action["steps"]): readonly Row[] => {
	const rows: Row[] = [];
	let open = false;
	for (const step of steps) {
		const quiet = step.phase !== undefined && step.reason === undefined && step.gravity === "info";
		const last = rows.at(-1);
		if (quiet && open && last !== undefined) rows[rows.length - 1] = { ...last, text: `${last.text}, ${step.phase}` };
		else rows.push(quiet ? { ...step, text: `${step.node}: ${step.phase}` } : step);
		open = quiet;
	}
	return rows;
};

const done = (session: Session, card: Card, action: Action): void => {
	const { paint } = session;
	const args = Object.entries(action.args).map(([name, value]) => plain(`${name} ${String(value)}`));
	const ended = action.tookMs === undefined ? "" : ` after ${sayDuration(action.tookMs)}`;
	const name = `${action.name}${args.length === 0 ? "" : ` (${args.join(", ")})`} on ${action.node}`;
	card.line(`${phaseStyle(paint, action.phase)(action.phase)}${ended}  ${name}, attempt ${action.attempt}  ${paint.dim(action.id)}`);
	for (const step of together(action.steps)) card.row(step);
};

/** The newest ones step by step, the ones before in a line each; older ones are counted. */
const actions = (session: Session, card: Card, { actions: all, incident, at }: WhyView): void => {
	if (all.length === 0) return;
	card.section("What was done");
	const earlier = all.slice(0, -ACTIONS_SHOWN_MAX);
	const hidden = earlier.length - EARLIER_SHOWN_MAX;
	if (hidden > 0) card.text(session.paint.dim(`${hidden} earlier ones: orion incident show ${incident?.id ?? "ID"}`));
	for (const { phase, name, attempt, id, steps } of earlier.slice(-EARLIER_SHOWN_MAX))
		card.line(
			`${session.paint.dim(clockTime(steps[0]?.at ?? "", at))}  ${phaseStyle(session.paint, phase)(phase)}  ${name}, attempt ${attempt}  ${session.paint.dim(id)}`,
		);
	for (const action of all.slice(-ACTIONS_SHOWN_MAX)) done(session, card, action);
};

const ENDED = { denied: "red", approved: "green", open: "yellow" } as const;

const askedOf = (session: Session, card: Card, approval: Approval): void => {
	const { paint } = session;
	const colour = approval.status in ENDED ? ENDED[approval.status as keyof typeof ENDED] : "dim";
	const ended = approval.tookMs === undefined ? "" : ` after ${sayDuration(approval.tookMs)}`;
	card.line(`${paint[colour](approval.status)}${ended}  ${plain(approval.plan)} (${approval.risk})  ${paint.dim(`${approval.id} #${approval.position}`)}`);
	for (const step of approval.steps) card.row(step);
};

const levelAsked = (session: Session, card: Card, { levelAsk }: WhyView): void => {
	if (levelAsk === undefined) return;
	const { paint } = session;
	const { status, decideWithinMs, by, via, steps } = levelAsk;
	card.section("What was asked");
	const colour = status in ENDED ? ENDED[status as keyof typeof ENDED] : "dim";
	const ended = by === undefined ? "" : ` by ${plain(by)}${via === undefined ? "" : ` (${plain(via)})`}`;
	card.line(`${paint[colour](status)}${ended}; ${sayDuration(decideWithinMs)} to decide`);
	for (const step of steps) card.row(step);
};

const happened = (session: Session, card: Card, { incident, levelAsk, events, record, timeline }: WhyView): void => {
	if (levelAsk !== undefined) return;
	card.section("What happened");
	if (record !== undefined) card.row(record);
	const changes = timeline.filter(({ type }) => type.startsWith("dev.orion.incident."));
	const rows = [...events, ...changes].filter(({ position }) => position !== record?.position).sort((left, right) => left.position - right.position);
	const hidden = rows.length - EVENTS_SHOWN_MAX;
	if (hidden > 0) card.text(session.paint.dim(`${hidden} earlier ones: orion incident show ${incident?.id ?? "ID"}`));
	for (const row of rows.slice(-EVENTS_SHOWN_MAX)) card.row(row);
};

const decisions = (session: Session, card: Card, answer: WhyView): void => {
	const newest = answer.decisions.at(-1);
	if (newest === undefined) return;
	card.section("What was decided");
	const earlier = answer.decisions.slice(0, -1);
	if (earlier.length > EARLIER_SHOWN_MAX) card.text(session.paint.dim(`${earlier.length - EARLIER_SHOWN_MAX} earlier ones are left out`));
	for (const { at, verdict, level, why, id } of earlier.slice(-EARLIER_SHOWN_MAX)) {
		const begin = `  ${clockTime(at, answer.at)}  `;
		const text = `${verdictStyle(session.paint, verdict)(verdict.toUpperCase())} at ${level}: ${plain(why)} ${session.paint.dim(id)}`;
		card.lines.push(`${session.paint.dim(begin)}${wrap(text, session.width, " ".repeat(begin.length))}`);
	}
	decided(session, card, newest, answer.at);
};

/** The one command that a reader most likely wants now. */
const nextStep = ({ incident, levelAsk, decisions: made, approvals, asked }: WhyView): string | undefined => {
	if (levelAsk?.status === "open") return `orion approve ${levelAsk.id}    or: orion deny ${levelAsk.id}`;
	if (incident?.status !== "open") return undefined;
	const open = approvals.find(({ status }) => status === "open");
	if (open !== undefined) return `orion approve ${open.id}    or: orion deny ${open.id}`;
	const newest = made.at(-1);
	if (newest?.verdict === "would" && newest.change.some((text) => text.includes("orion level N2"))) return "orion level N2";
	return asked.length > 0 ? "orion logs -f" : undefined;
};

export const whyCard = (session: Session, answer: WhyView): string => {
	const card = new Card(session, answer.at);
	title(session, card, answer);
	happened(session, card, answer);
	if (answer.none !== undefined) {
		card.section("Why it belongs to no incident");
		for (const text of answer.none) card.text(plain(text));
	}
	decisions(session, card, answer);
	levelAsked(session, card, answer);
	if (answer.approvals.length > 0) card.section("What was asked");
	for (const approval of answer.approvals.slice(-ASKED_SHOWN_MAX)) askedOf(session, card, approval);
	actions(session, card, answer);
	if (answer.breaker.length > 0) card.section("The breaker");
	if (answer.breaker.length > BREAKER_SHOWN_MAX) card.text(session.paint.dim(`${answer.breaker.length - BREAKER_SHOWN_MAX} earlier ones are left out`));
	for (const row of answer.breaker.slice(-BREAKER_SHOWN_MAX)) card.row(row);
	if (answer.asked.length > 0) card.section("A person is needed");
	for (const { why, suggestion, at } of answer.asked.slice(-2)) {
		card.labelled(clockTime(at, answer.at), [plain(why)]);
		card.labelled("try", [session.paint.cyan(plain(suggestion))]);
	}
	if (answer.partial) card.lines.push("", session.paint.dim("some records of this thread are archived or left out; what is here is not all"));
	const next = nextStep(answer);
	if (next !== undefined) card.lines.push("", `${session.paint.dim("next:")} ${next}`);
	return card.lines.join("\n");
};

/** What a person who names nothing most likely means. */
const likeliest = async (mesh: Awaited<ReturnType<Session["mesh"]>>): Promise<string> => {
	const open = await mesh.get<IncidentsView>("/state/incidents?status=open&limit=100");
	const [newest] = open.incidents.length > 0 ? [] : (await mesh.get<IncidentsView>("/state/incidents?status=all&limit=1")).incidents;
	const meant = gravest(open.incidents) ?? newest;
	if (meant === undefined) throw new OrionError("NOT_FOUND", { what: "incident", id: "yet", detail: "Nothing has been wrong so far." });
	return meant.id;
};

export const showWhy = async (session: Session, named: string | undefined): Promise<number> => {
	const mesh = await session.mesh();
	const id = named ?? (await session.waiting(() => "asking", likeliest(mesh)));
	const answer = await session.waiting(() => "reading the log", mesh.get<WhyView>(`/why/${encodeURIComponent(id)}`));
	if (session.json) session.print(answer);
	else session.say(whyCard(session, answer));
	return 0;
};
