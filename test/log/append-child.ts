// A process that appends until it is killed, and prints what it was told: what it printed was acknowledged.
import { writeSync } from "node:fs";
import { nodeFiles } from "../../log/node-files.ts";
import { openSegments } from "../../log/segments.ts";
import { keyOf, numbered } from "../support/log.ts";

const [folder = "", round = "0"] = process.argv.slice(2);
const log = await openSegments({
	files: nodeFiles(),
	folder,
	mesh: "mesh-1",
	keyOf,
	segmentBytesMax: 20_000,
	onFatal: () => process.exit(70),
});

const LANES = ["safety", "decision", "event"] as const;

/** One lane of this round's session; batches of one to three. */
const send = async (lane: (typeof LANES)[number]): Promise<never> => {
	for (let seq = 1; ; ) {
		const count = 1 + (seq % 3);
		const batch = Array.from({ length: count }, (_, index) => numbered(seq + index, "x".repeat(seq % 90), `${round}.a`, lane));
		const outcomes = await log.append(batch);
		const lines = outcomes.map((outcome, index) => `${outcome.kind === "stored" ? outcome.position : 0} ${round}.a ${lane} ${seq + index}\n`);
		writeSync(1, lines.join(""));
		seq += count;
		if (seq % 500 === 0) await log.setCursor(`reader ${lane}`, log.head());
	}
};

await Promise.all(LANES.map(send));
