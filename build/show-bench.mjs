// Prints a recorded bench as a table.
import { readFileSync } from "node:fs";

const { results } = JSON.parse(readFileSync(process.argv[2] ?? ".cache/bench.json", "utf8"));
for (const { name, value, unit, beside, ratio, must, ok } of results) {
	process.stdout.write(
		`${ok ? "ok  " : "MISS"} ${name.padEnd(18)}${`${value} ${unit}`.padEnd(20)}beside ${`${beside.value} ${beside.unit}`.padEnd(20)}ratio ${String(ratio).padEnd(8)} must ${must}  (${beside.name})\n`,
	);
}
