// Decides how text fits a terminal: tables that shrink, wrapped paragraphs, times and ages as people say them.
import { sayDuration } from "../../contracts/time.ts";

const ESC = "\u001b";
const STYLED = new RegExp(`${ESC}\\[[0-9;]*m`, "g");
/** Control characters of what others sent must not reach a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

export const plain = (text: string): string => text.replace(CONTROL, "?").replace(/\s*\n\s*/g, " | ");

const lengthOf = (text: string): number => text.replace(STYLED, "").length;

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`);

export interface Cell {
	readonly text: string;
	readonly paint?: (text: string) => string;
}
export interface Column {
	readonly title: string;
	/** Gives way first when the terminal is narrow. */
	readonly flexible?: boolean;
	readonly right?: boolean;
	/** Left out when the table would not fit otherwise. */
	readonly spare?: boolean;
}

const FLEXIBLE_MIN = 12;
const GAP = "  ";

/** Rows in columns; only flexible columns are cut, the widest first. */
export const table = (columns: readonly Column[], rows: readonly (readonly Cell[])[], width: number, head: (text: string) => string): readonly string[] => {
	const shown = columns.map((_, index) => rows.some((row) => (row[index]?.text ?? "") !== ""));
	const widths = columns.map((column, index) => (shown[index] ? Math.max(column.title.length, ...rows.map((row) => row[index]?.text.length ?? 0)) : 0));
	const total = (): number => widths.reduce((sum, each) => sum + (each === 0 ? 0 : each + GAP.length), -GAP.length);
	for (const [index, column] of columns.entries()) {
		if (total() <= width) break;
		if (column.spare !== true) continue;
		shown[index] = false;
		widths[index] = 0;
	}
	for (;;) {
		const over = total() - width;
		if (over <= 0) break;
		const widest = columns.reduce((best, column, index) => (column.flexible === true && (widths[index] ?? 0) > (widths[best] ?? 0) ? index : best), -1);
		const now = widths[widest] ?? 0;
		if (widest === -1 || now <= FLEXIBLE_MIN) break;
		widths[widest] = Math.max(FLEXIBLE_MIN, now - over);
	}
	const line = (cells: readonly Cell[]): string =>
		columns
			.flatMap((column, index) => {
				if (shown[index] !== true) return [];
				const each = widths[index] ?? 0;
				const text = cut(cells[index]?.text ?? "", each);
				const padded = column.right === true ? text.padStart(each) : text.padEnd(each);
				return [(cells[index]?.paint ?? ((same: string) => same))(padded)];
			})
			.join(GAP)
			.trimEnd();
	return [line(columns.map(({ title }) => ({ text: title, paint: head }))), ...rows.map(line)];
};

const PART_AFTER = /[,;:/=&?]/;

/** A word that no line can hold, in parts: after a mark that people part words at, else where the room ends. A path stays one word if it fits. */
const parted = (word: string, room: number): readonly string[] => {
	const parts: string[] = [];
	let rest = word;
	while (rest.length > room && !rest.includes(ESC)) {
		let at = room;
		while (at > room / 2 && !PART_AFTER.test(rest[at - 1] ?? "")) at -= 1;
		if (at <= room / 2) at = room;
		parts.push(rest.slice(0, at));
		rest = rest.slice(at);
	}
	return [...parts, rest];
};

/** Words in lines of at most width; later lines begin with the indent. */
export const wrap = (text: string, width: number, indent: string): string => {
	const lines: string[] = [];
	let current = "";
	const room = Math.max(1, width - indent.length);
	for (const word of text.split(" ").flatMap((each) => parted(each, room))) {
		if (current !== "" && lengthOf(current) + 1 + lengthOf(word) > room) {
			lines.push(current);
			current = word;
		} else current = current === "" ? word : `${current} ${word}`;
	}
	return [...lines, current].join(`\n${indent}`);
};

const two = (number: number): string => String(number).padStart(2, "0");

/** Local time of day; with the date when it is another day than `now`. */
export const clockTime = (at: string, now: string): string => {
	const then = new Date(at);
	if (Number.isNaN(then.getTime())) return "--:--:--";
	const time = `${two(then.getHours())}:${two(then.getMinutes())}:${two(then.getSeconds())}`;
	const today = new Date(now);
	return then.toDateString() === today.toDateString() ? time : `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())} ${time}`;
};

export const ago = (ms: number): string => `${sayDuration(ms)} ago`;

export const percent = (ratio: number): string => `${Math.round(ratio * 100)} %`;

export const gigabytes = (bytes: number): string => {
	const gb = bytes / 1e9;
	return gb >= 100 ? gb.toFixed(0) : gb.toFixed(1);
};

/** In the unit that leaves a number of at most three places before the point. */
export const sizeOf = (bytes: number): string => {
	const [divisor, unit] = bytes < 1e6 ? [1e3, "kB"] : bytes < 1e9 ? [1e6, "MB"] : [1e9, "GB"];
	const size = bytes / divisor;
	return `${size >= 100 ? size.toFixed(0) : size.toFixed(1)} ${unit}`;
};

export const grouped = (number: number): string => String(number).replace(/\B(?=(\d{3})+$)/g, ",");
