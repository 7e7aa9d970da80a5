// `npm run chaos -- [kill|network|power|partition|bus|spool|hour|hour-redis ...] --rounds N [--seed S] [--events N] [--json]`: more rounds of the chaos tests, with their counts as a table; `hour` and `hour-redis` are one long round each, only if they are named.
import { parseArgs } from "node:util";
import { bundle } from "../../build/bundle.mjs";
import { load } from "../../build/run-typescript.mjs";

const { values, positionals } = parseArgs({
	options: {
		rounds: { type: "string", default: "20" },
		seed: { type: "string" },
		events: { type: "string", default: "720000" },
		json: { type: "boolean", default: false },
	},
	allowPositionals: true,
});
const KINDS = {
	kill: async () => {
		const { isClean, runKillRounds } = await load("test/chaos/kill-rounds.ts");
		return { run: runKillRounds, isGood: isClean };
	},
	network: async () => {
		const { isAccountedFor, runNetworkRounds } = await load("test/chaos/network-rounds.ts");
		return { run: runNetworkRounds, isGood: isAccountedFor };
	},
	partition: async () => {
		const { isReconciled, runPartitionRounds } = await load("test/chaos/partition-rounds.ts");
		return { run: runPartitionRounds, isGood: isReconciled };
	},
	bus: async () => {
		const { isCarried, runBusRounds } = await load("test/chaos/bus-rounds.ts");
		return { run: runBusRounds, isGood: isCarried };
	},
	spool: async () => {
		const { isDelivered, runSpoolRounds } = await load("test/chaos/spool-rounds.ts");
		return { run: runSpoolRounds, isGood: isDelivered };
	},
	hour: async () => {
		const { isDrained, runHour } = await load("test/chaos/hour-rounds.ts");
		return { run: (options) => runHour({ ...options, away: "core" }), isGood: isDrained };
	},
	"hour-redis": async () => {
		const { isDrained, runHour } = await load("test/chaos/hour-rounds.ts");
		return { run: (options) => runHour({ ...options, away: "redis" }), isGood: isDrained };
	},
	power: async () => {
		const { isKept, runPowerRounds } = await load("test/chaos/power-rounds.ts");
		return { run: runPowerRounds, isGood: isKept };
	},
};
const rounds = Number(values.rounds);
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
/** An hour at 200 a second, unless it is told otherwise. */
const events = Number(values.events);
const kinds = positionals.length === 0 ? Object.keys(KINDS).filter((kind) => !kind.startsWith("hour")) : positionals;
if (
	!Number.isInteger(rounds) ||
	rounds < 1 ||
	!Number.isInteger(seed) ||
	!(Number.isInteger(events) && events >= 4) ||
	kinds.some((kind) => KINDS[kind] === undefined)
) {
	process.stderr.write(`usage: npm run chaos -- [${Object.keys(KINDS).join("|")} ...] --rounds N [--seed S] [--events N] [--json]\n`);
	process.exit(2);
}
await bundle();
let ok = true;
for (const kind of kinds) {
	const { run, isGood } = await KINDS[kind]();
	const beganMs = performance.now();
	const counts = await run({ rounds, seed, events, say: (line) => process.stderr.write(`${kind}: ${line}\n`) });
	const result = { schema: "orion.chaos/1", kind, seed, tookMs: Math.round(performance.now() - beganMs), ok: isGood(counts), ...counts };
	if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
	else
		for (const [name, value] of Object.entries(result))
			process.stdout.write(`${name.padEnd(20)}${typeof value === "object" ? JSON.stringify(value) : value}\n`);
	if (result.ok) continue;
	ok = false;
	process.stderr.write(`FAILED; repeat with: npm run chaos -- ${kind} --rounds ${rounds} --seed ${seed}\n`);
}
if (!ok) process.exitCode = 1;
