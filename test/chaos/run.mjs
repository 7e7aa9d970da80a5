// `npm run chaos -- [kill|network|power|partition|bus|spool|hour|hour-redis ...] --rounds N [--seed S] [--events N] [--json]`: more rounds of the chaos tests, with their counts as a table; `hour` and `hour-redis` are one long round each, only if they are named.
import { bundle } from "../../build/bundle.mjs";
import { asked, refuse } from "../../build/command-line.mjs";
import { load } from "../../build/run-typescript.mjs";

const HELP = `npm run chaos -- [KIND ...] [--rounds N] [--seed S] [--events N] [--json]

Faults in rounds, with what was accepted and what of it is missing or there twice; exit 1 if anything is. Without a KIND all but the hours.

  kill         kill -9 of agent, mesh and a supervised service, while events are sent
  network      cuts, delay, doubling, half-open connections, one message per 200 ms, killed processes, clocks that step by a year, old cards
  partition    nodes cut off, wholly and one way only: what they did alone is accounted for once
  power        power cuts of node and core, which drop or tear what was not synced, and full disks
  bus          agent, broker elsewhere, core and Redis killed, alone and in pairs; Redis emptied, set back or cut off from its power
  spool        power cuts of a broker elsewhere, of core and of the Redis between them
  hour         720,000 events, an hour's at 200 a second, while core is away, at full speed; --events N for fewer
  hour-redis   the same while Redis is away

  npm run chaos -- --rounds 50
  npm run chaos -- bus spool --rounds 100
  npm run chaos -- network --rounds 20 --seed 277116
`;
const { values, positionals } = asked(
	HELP,
	{
		rounds: { type: "string", default: "20" },
		seed: { type: "string" },
		events: { type: "string", default: "720000" },
		json: { type: "boolean", default: false },
	},
	true,
);
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
if (!(Number.isInteger(rounds) && rounds >= 1 && Number.isInteger(seed) && Number.isInteger(events) && events >= 4))
	refuse(HELP, "--rounds, --seed and --events are whole numbers, rounds at least 1, events at least 4");
const strange = kinds.filter((kind) => KINDS[kind] === undefined);
if (strange.length > 0) refuse(HELP, `no such kind: ${strange.join(", ")}. There are: ${Object.keys(KINDS).join(", ")}`);
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
