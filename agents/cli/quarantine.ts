// Connects `orion quarantine` to the messages that broke their contract: listed, shown as they came, judged again, or dropped with a reason.
import { OrionError } from "../../contracts/errors.ts";
import type { QuarantineEntry, QuarantineList } from "../../core/service/quarantine.ts";
import { clockTime, grouped, plain, table, wrap } from "./layout.ts";
import type { Session } from "./session.ts";

export interface QuarantineListOptions {
	readonly lines?: number;
	readonly before?: number;
}

export interface DropOptions {
	readonly message?: string;
	readonly yes?: boolean;
}

const LINES = 20;
const TEXT_SHOWN_MAX = 4_096;

const COLUMNS = [
	{ title: "POSITION", right: true },
	{ title: "WHEN" },
	{ title: "WHO" },
	{ title: "TOPIC", flexible: true, spare: true },
	{ title: "WHAT BROKE", flexible: true },
] as const;

export const listQuarantine = async (session: Session, { lines = LINES, before }: QuarantineListOptions): Promise<number> => {
	const mesh = await session.mesh();
	const page = before === undefined ? "" : `&before=${before}`;
	const list = await session.waiting(() => "reading the log", mesh.get<QuarantineList>(`/state/quarantine?limit=${lines}${page}`));
	const { paint, width } = session;
	if (session.json) {
		session.print(list);
		return 0;
	}
	if (list.rows.length === 0) {
		session.say(list.waiting === 0 ? paint.green("nothing waits in quarantine") : `nothing that is older; ${list.waiting} wait`);
		return 0;
	}
	const now = new Date(session.host.wallMs()).toISOString();
	const rows = list.rows.map(({ position, at, identity, topic, detail }) => [
		{ text: String(position) },
		{ text: clockTime(at, now) },
		{ text: plain(identity) },
		{ text: plain(topic) },
		{ text: plain(detail), paint: paint.yellow },
	]);
	session.say(table(COLUMNS, rows, width, paint.dim).join("\n"));
	const [newest] = list.rows;
	session.say(
		`\n${grouped(list.waiting)} ${list.waiting === 1 ? "waits" : "wait"}${list.next === null ? "" : `; older ones: orion quarantine ls --before ${list.next}`}`,
	);
	session.say(`${paint.dim("next:")} orion quarantine show ${newest?.position ?? "POSITION"}`);
	return 0;
};

/** As it came, readable: JSON that can be read is laid out, anything else is shown as it is. */
const laidOut = (text: string): string => {
	try {
		return JSON.stringify(JSON.parse(text), null, 2);
	} catch {
		return text;
	}
};

const indented = (line: string, width: number): string => {
	const begin = " ".repeat(2 + line.length - line.trimStart().length);
	return `${begin}${wrap(plain(line.trimStart()), width, `${begin}  `)}`;
};

export const showQuarantined = async (session: Session, position: number): Promise<number> => {
	const mesh = await session.mesh();
	const entry = await session.waiting(() => "reading the log", mesh.get<QuarantineEntry>(`/state/quarantine/${position}`));
	if (session.json) {
		session.print(entry);
		return 0;
	}
	const { paint, width } = session;
	const facts: readonly (readonly [string, string])[] = [
		["from", entry.identity],
		["on", entry.topic],
		["at", entry.at],
		["broke", `${entry.contract ?? entry.code}${entry.pointer === undefined ? "" : ` at ${entry.pointer === "" ? "its root" : entry.pointer}`}`],
		["because", entry.detail],
	];
	for (const [name, text] of facts) session.say(`${paint.dim(name.padEnd(9))}${wrap(plain(text), width, " ".repeat(9))}`);
	session.say("");
	if (entry.text === undefined) session.say(`its ${grouped(entry.bytes)} bytes were too many to be kept`);
	else for (const line of laidOut(entry.text).slice(0, TEXT_SHOWN_MAX).split("\n")) session.say(indented(line, width));
	session.say("");
	if (entry.settled !== undefined) session.say(`dealt with: ${entry.settled.how} by ${plain(entry.settled.by)}`);
	else session.say(`${paint.dim("next:")} orion quarantine ${entry.text === undefined ? "drop" : "retry"} ${position}`);
	return 0;
};

export const retryQuarantined = async (session: Session, position: number): Promise<number> => {
	const mesh = await session.mesh();
	const asked = mesh.post<{ readonly how: "taken" | "duplicate"; readonly position?: number }>(`/quarantine/${position}/retry`, { by: session.host.user });
	const settled = await session.waiting(() => "judging", asked);
	if (session.json) session.print(settled);
	else if (settled.how === "duplicate") session.say(`#${position} was known already: it is out of quarantine, and nothing else changed`);
	else session.say(`#${position} was taken as #${settled.position}; see: orion why ${settled.position}`);
	return 0;
};

export const dropQuarantined = async (session: Session, position: number, options: DropOptions): Promise<number> => {
	const mesh = await session.mesh();
	if (options.yes !== true) {
		if (!session.host.inIsTty || session.json) throw new OrionError("USAGE", { detail: `nobody can be asked here; to drop ${position} give --yes` });
		const entry = await mesh.get<QuarantineEntry>(`/state/quarantine/${position}`);
		const answer = await session.host.askLine(`Drop the message of ${plain(entry.identity)} on ${plain(entry.topic)}? Its record stays in the log. [y/N] `);
		if (!/^y(es)?$/i.test(answer.trim())) {
			session.note("nothing was dropped");
			return 1;
		}
	}
	const body = { by: session.host.user, ...(options.message === undefined ? {} : { why: options.message }) };
	const settled = await session.waiting(() => "dropping", mesh.post(`/quarantine/${position}/drop`, body));
	if (session.json) session.print(settled);
	else session.say(`#${position} is dropped; its record stays in the log`);
	return 0;
};
