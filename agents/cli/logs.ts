// Connects `orion logs` to the log of a running mesh: the newest records, those since a time or position, and what comes from now on.
import type { Envelope } from "../../contracts/envelope.ts";
import { OrionError, sayFault } from "../../contracts/errors.ts";
import { parseDuration } from "../../contracts/time.ts";
import { passes, rowOf } from "../../core/memory/log-row.ts";
import type { LogView } from "../../core/service/views.ts";
import { gravityStyle } from "./colours.ts";
import { clockTime, plain, wrap } from "./layout.ts";
import type { MeshClient } from "./mesh-client.ts";
import type { Session } from "./session.ts";

export interface LogsOptions {
	readonly follow?: boolean;
	readonly type?: readonly string[];
	readonly node?: string;
	readonly since?: string;
	readonly lines?: number;
	readonly all?: boolean;
}

interface Line {
	readonly position: number;
	readonly envelope: Envelope;
}

const PAGE_RECORDS = 1_000;
const LINES = 50;
const LINES_BEFORE_FOLLOWING = 10;
const RETRY_MS = 1_000;
const NODE_WIDTH = 10;
const NAME_WIDTH = 19;
const ROOM_FOR_TEXT_MIN = 30;

/** Clock records tell nothing to a person; programs get every record. */
const wanted = (session: Session, { type = [], node, all }: LogsOptions) => {
	const filter = { types: type, ...(node === undefined ? {} : { node }) };
	const withClock = session.json || all === true || type.length > 0;
	return ({ envelope }: Line): boolean => passes(filter, envelope) && (withClock || envelope.type !== "dev.orion.clock.tick.v1");
};

const show = (session: Session, line: Line, now: string): void => {
	if (session.json) {
		session.print({ schema: "orion.record/1", ...line });
		return;
	}
	const { at, node, type, text, gravity, position } = rowOf(line);
	const { paint, width } = session;
	const name = type.replace(/^dev\.orion\./, "").replace(/\.v\d+$/, "");
	const begin = `${clockTime(at, now)}  ${`#${position}`.padEnd(7)} ${node.padEnd(NODE_WIDTH)} ${name.padEnd(NAME_WIDTH)} `;
	const indent = width - begin.length < ROOM_FOR_TEXT_MIN ? "    " : " ".repeat(begin.length);
	const body = indent.length === begin.length ? wrap(plain(text), width, indent) : `\n${indent}${wrap(plain(text), width, indent)}`;
	session.say(`${paint.dim(begin)}${gravityStyle(paint, gravity)(body)}`);
};

const pageFrom = (mesh: MeshClient, from: number, limit: number): Promise<LogView> => mesh.get<LogView>(`/state/log?from=${from}&limit=${limit}`);

/** First position whose record was appended at or after this time; found by halving, because positions and times grow together. */
const positionAt = async (mesh: MeshClient, wallMs: number, first: number, head: number): Promise<number> => {
	let low = first;
	let high = head + 1;
	while (low < high) {
		const middle = Math.floor((low + high) / 2);
		const [record] = (await pageFrom(mesh, middle, 1)).records;
		const at = Date.parse(record?.envelope.recordedtime ?? "");
		if (Number.isNaN(at) || at >= wallMs) high = middle;
		else low = middle + 1;
	}
	return low;
};

const sinceFrom = async (session: Session, mesh: MeshClient, text: string, first: number, head: number): Promise<number> => {
	if (/^#?\d{1,15}$/.test(text)) return Math.max(first, Number(text.replace("#", "")));
	const spanMs = parseDuration(text.replace(/^(\d+)m$/, "$1min"));
	if (spanMs === undefined) throw new OrionError("USAGE", { detail: `--since ${text} is neither a log position nor a span like 30s, 10m, 2h or 7d` });
	return positionAt(mesh, session.host.wallMs() - spanMs, first, head);
};

/** The newest `lines` records that pass, oldest first. */
const newest = async (mesh: MeshClient, first: number, head: number, lines: number, pass: (line: Line) => boolean): Promise<readonly Line[]> => {
	const found: Line[] = [];
	for (let end = head; end >= first && found.length < lines; end -= PAGE_RECORDS) {
		const from = Math.max(first, end - PAGE_RECORDS + 1);
		const { records } = await pageFrom(mesh, from, end - from + 1);
		found.unshift(...records.filter(pass).slice(-(lines - found.length)));
	}
	return found;
};

const past = async (session: Session, mesh: MeshClient, options: LogsOptions): Promise<number> => {
	const { rev: head, first } = await pageFrom(mesh, 1, 1);
	const pass = wanted(session, options);
	const now = new Date(session.host.wallMs()).toISOString();
	if (options.since === undefined) {
		const lines = options.lines ?? (options.follow === true ? LINES_BEFORE_FOLLOWING : LINES);
		for (const line of await session.waiting(() => "reading the log", newest(mesh, first, head, lines, pass))) show(session, line, now);
		return head;
	}
	const from = await session.waiting(() => "looking for the time", sinceFrom(session, mesh, options.since, first, head));
	if (options.lines !== undefined) {
		for (const line of await session.waiting(() => "reading the log", newest(mesh, from, head, options.lines, pass))) show(session, line, now);
		return head;
	}
	for (let next = from; next <= head; next += PAGE_RECORDS) {
		const { records } = await pageFrom(mesh, next, Math.min(PAGE_RECORDS, head - next + 1));
		for (const line of records.filter(pass)) show(session, line, now);
	}
	return head;
};

const pause = (session: Session): Promise<void> =>
	new Promise((resolve) => {
		const timer = setTimeout(resolve, RETRY_MS);
		session.host.interrupted.addEventListener("abort", () => {
			clearTimeout(timer);
			resolve();
		});
	});

/** Goes on through an end of the mesh: when it comes back, nothing in between is left out. */
const follow = async (session: Session, options: LogsOptions, after: number): Promise<number> => {
	const pass = wanted(session, options);
	let last = after;
	let away = false;
	const { signal } = { signal: session.host.interrupted };
	while (!signal.aborted) {
		try {
			const mesh = await session.mesh();
			const query = new URLSearchParams({ from: String(last + 1), ...(options.node === undefined ? {} : { node: options.node }) });
			if (options.type !== undefined) query.set("types", options.type.join(","));
			for await (const { id, data } of mesh.events(`/events?${query.toString()}`)) {
				if (away) session.note("the mesh is back");
				away = false;
				last = id;
				const line = { position: id, envelope: data as Envelope };
				if (pass(line)) show(session, line, new Date(session.host.wallMs()).toISOString());
			}
		} catch (error) {
			if (!(error instanceof OrionError)) {
				if (signal.aborted) break;
				// A stream that breaks in the middle is a mesh that ended.
			} else if (error.fault.code === "RECORDS_ARCHIVED") {
				session.note(`orion: ${sayFault(error.fault)}; going on from now`);
				last = Number(error.fault.facts["head"] ?? (await (await session.mesh()).get<LogView>("/state/log?limit=1")).rev);
				continue;
			} else if (error.fault.code !== "NOT_RUNNING" && error.fault.code !== "UNREACHABLE") throw error;
		}
		if (!away && !signal.aborted) session.note("the mesh ended; waiting for it (Ctrl-C to leave)");
		away = true;
		await pause(session);
	}
	return 0;
};

export const showLogs = async (session: Session, options: LogsOptions): Promise<number> => {
	const mesh = await session.mesh();
	const head = await past(session, mesh, options);
	return options.follow === true ? follow(session, options, head) : 0;
};
