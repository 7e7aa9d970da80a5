// Prints a recorded bench as a table.
import { readFileSync } from "node:fs";
import { benchRow } from "./bench-row.mjs";

const { results } = JSON.parse(readFileSync(process.argv[2] ?? ".cache/bench.json", "utf8"));
for (const result of results) process.stdout.write(benchRow(result));
