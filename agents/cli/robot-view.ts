// Decides how a robot looks in a terminal: from above and from the side, in letters, as wide as there is room.
import type { RobotState } from "../robot/words.ts";

const ROWS = 13;
const COLUMNS = 37;
/** A letter is about twice as high as it is wide. */
const MM_PER_COLUMN = 16;
const MM_PER_ROW = 32;
const SIDE_ROWS = 5;
const SIDE_MM_PER_ROW = 22;

const blank = (rows: number): string[][] => Array.from({ length: rows }, () => new Array<string>(COLUMNS).fill(" "));
const put = (canvas: string[][], column: number, row: number, letter: string): void => {
	const line = canvas[row];
	if (line !== undefined && column >= 0 && column < COLUMNS) line[column] = letter;
};

const fromAbove = (state: RobotState): readonly string[] => {
	const canvas = blank(ROWS);
	const [midColumn, midRow] = [Math.floor(COLUMNS / 2), Math.floor(ROWS / 2)];
	for (let row = -2; row <= 2; row++) for (let column = -3; column <= 3; column++) put(canvas, midColumn + column, midRow + row, "#");
	put(canvas, midColumn, midRow - 3, "^");
	for (const [leg, foot] of state.feet.entries()) {
		const [x, y] = [foot.xMm / MM_PER_COLUMN, -foot.yMm / MM_PER_ROW];
		for (let part = 0.35; part < 1; part += 0.1) put(canvas, Math.round(midColumn + x * part), Math.round(midRow + y * part), ".");
		put(canvas, Math.round(midColumn + x), Math.round(midRow + y), foot.standing ? String(leg + 1) : "o");
	}
	return canvas.map((line) => line.join(""));
};

const fromTheSide = (state: RobotState): readonly string[] => {
	const canvas = blank(SIDE_ROWS);
	const mid = Math.floor(COLUMNS / 2);
	const floor = SIDE_ROWS - 1;
	const rowOf = (mm: number): number => floor - 1 - Math.round(mm / SIDE_MM_PER_ROW);
	for (let column = 0; column < COLUMNS; column++) put(canvas, column, floor, "_");
	const body = rowOf(state.heightMm ?? 0);
	for (let column = -6; column <= 6; column++) put(canvas, mid + column, Math.max(0, body), "=");
	put(canvas, mid + 7, Math.max(0, body), ">");
	for (const [leg, foot] of state.feet.entries()) {
		const column = Math.round(mid + foot.yMm / MM_PER_COLUMN);
		put(canvas, column, Math.max(0, rowOf(foot.zMm)), foot.standing ? String(leg + 1) : "o");
	}
	return canvas.map((line) => line.join(""));
};

const known = (value: number | null, unit: string): string => (value === null ? "not known" : `${value} ${unit}`);

/** Lines of one picture; every one of them fits 80 columns. */
export const drawRobot = (state: RobotState): readonly string[] => {
	const facts = [
		`${state.model}${state.simulated ? ", SIMULATED" : ""}`,
		`state    ${state.state}`,
		`because  ${state.cause ?? "-"}`,
		`lease    ${state.lease === null ? "none" : `${state.lease.holder}, ${state.lease.leftMs} ms`}`,
		`battery  ${known(state.servoMv, "mV")}`,
		`tilt     ${known(state.tiltDegrees, "degrees")}`,
		`margin   ${known(state.marginMm, "mm")}`,
		`range    ${known(state.rangeMm, "mm")}`,
		`walked   ${state.travelled.pathMm} mm`,
		`heading  ${state.travelled.headingDegrees} degrees`,
		`board    ${state.board}, ${state.driver.fault ?? state.driver.state}`,
		`warning  ${state.warnings[0]?.says ?? "none"}`,
		"1-6 feet that carry, o raised",
	];
	const above = fromAbove(state);
	const beside = above.map((line, row) => `${line}  ${(facts[row] ?? "").slice(0, 40)}`.trimEnd());
	return [...beside, ...fromTheSide(state).map((line) => line.trimEnd())];
};
