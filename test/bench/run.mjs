// `npm run bench -- [--json] [--redis-down-seconds N] [NAME ...]`: figures, each beside a peer or the machine's raw one, measured in the same run.
import { benchRow } from "../../build/bench-row.mjs";
import { bundle } from "../../build/bundle.mjs";
import { asked, refuse } from "../../build/command-line.mjs";
import { peer } from "../../build/peers.mjs";
import { load } from "../../build/run-typescript.mjs";

const say = (line) => process.stderr.write(`${line}\n`);
const GROUPS = [
	{
		names: ["ingest.embedded", "ingest.library", "puback.full.p50", "puback.full.p99", "puback.full.p999", "puback.p50", "puback.p99", "puback.p999"],
		run: async () => (await load("test/bench/wire.ts")).wireFigures(peer("mosquitto"), say),
	},
	{
		names: ["frozen.p99", "frozen.p99.mosquitto", "clients.1000", "clients.1000.library"],
		run: async () => (await load("test/bench/crowd.ts")).crowdFigures(peer("mosquitto"), say),
	},
	{
		names: [
			"ingest.redis",
			"ingest.redis.xadd",
			"puback.redis.full.p50",
			"puback.redis.full.p99",
			"puback.redis.full.p999",
			"puback.redis.p50",
			"puback.redis.p99",
			"puback.redis.p999",
		],
		run: async () => (await load("test/bench/bus.ts")).ingestFigures(peer("mosquitto"), say),
	},
	{ names: ["redis-down.rss"], run: async () => (await load("test/bench/bus.ts")).downFigures(redisDownSeconds, say) },
	{ names: ["loss.kill9"], run: async () => (await load("test/bench/loss.ts")).lossFigures(say) },
	{ names: ["command.p99"], run: async () => (await load("test/bench/command.ts")).commandFigures(say) },
	{
		names: ["stop.lan.p99", "stop.local.p99", "cut.lan.p99", "cut.local.p99"],
		run: async () => (await load("test/bench/stop.ts")).stopFigures(say),
	},
	{
		names: ["robot.ik", "robot.pose", "robot.displacement"],
		run: async () => (await load("test/bench/robot.ts")).bodyFigures(say),
	},
	{
		names: ["robot.jitter.p99", "agent-dead.freeze", "agent-dead.off"],
		run: async () => (await load("test/bench/robot.ts")).deadFigures(say),
	},
	{ names: ["up.ready", "agent.ready", "agent.rss"], run: async () => (await load("test/bench/processes.ts")).processFigures(say) },
	{ names: ["replay.rate"], run: async () => (await load("test/bench/engine.ts")).engineFigures(say) },
];
const known = GROUPS.flatMap(({ names }) => names);
const HELP = `npm run bench -- [--json] [--redis-down-seconds N] [NAME ...]

Each figure is measured beside a peer or the machine's raw one, in the same run; without a NAME all of them, in ten minutes.
Compare ratios, on a machine that does nothing else.

  npm run bench -- ingest.embedded ingest.redis
  npm run bench -- --redis-down-seconds 600 redis-down.rss
  npm run --silent bench -- --json > bench.json

Figures: ${known.join(", ")}
`;
const { values, positionals } = asked(HELP, { json: { type: "boolean", default: false }, "redis-down-seconds": { type: "string", default: "60" } }, true);
const redisDownSeconds = Number(values["redis-down-seconds"]);
if (!(redisDownSeconds >= 5)) refuse(HELP, "--redis-down-seconds is at least 5");
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) refuse(HELP, `no such figure: ${unknown.join(", ")}. There are: ${known.join(", ")}`);
const wanted = (name) => positionals.length === 0 || positionals.includes(name);
const results = [];
// The engine is measured from its sources; everything else is the built output.
if (GROUPS.some(({ names }) => names.some(wanted) && !names.includes("replay.rate"))) await bundle();
/** What could not be measured is missed, and says why; the other figures are measured all the same. */
const failed = (name, error) => {
	const detail = error instanceof Error ? error.message : String(error);
	return { name, value: null, unit: "", beside: { name: "not measured", value: null, unit: "" }, ratio: null, must: `be measured: ${detail}`, ok: false };
};
for (const { names, run } of GROUPS) {
	if (!names.some(wanted)) continue;
	try {
		results.push(...(await run()).filter(({ name }) => wanted(name)));
	} catch (error) {
		say(`${names.join(", ")}: ${error instanceof Error ? error.stack : error}`);
		results.push(...names.filter(wanted).map((name) => failed(name, error)));
	}
}
if (values.json) process.stdout.write(`${JSON.stringify({ schema: "orion.bench/1", results })}\n`);
else for (const result of results) process.stdout.write(benchRow(result));
