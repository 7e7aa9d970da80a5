// Decides how a figure stands in the table of the bench: a line of its own, beside what it was measured with.

/** As long as the longest name, and a space. */
const NAME_WIDTH = 24;

export const benchRow = ({ name, value, unit, beside, ratio, must, ok }) =>
	`${ok ? "ok  " : "MISS"} ${name.padEnd(NAME_WIDTH)}${`${value} ${unit}`.padEnd(20)}beside ${`${beside.value} ${beside.unit}`.padEnd(20)}ratio ${String(ratio).padEnd(10)} must ${must}  (${beside.name})\n`;
