// Shows that of hundreds of random streams of updates none decides, runs or shows what it may not, whatever is forged, repeated, reordered, raced or killed: HARM-95 HARM-96 HARM-97 TELL-41 TELL-42 TELL-43. More of them: npm run fuzz:chat.
import { expect, test } from "vitest";
import { tooRare } from "./streams/stream-kinds.ts";
import { runStreams } from "./streams/stream-rounds.ts";

const STREAMS = 250;

test("250 streams: only admins decide, once, in time; everything ends once and says so", { timeout: 300_000 }, async () => {
	const { streams, counts, failures } = await runStreams({ firstSeed: 1, streams: STREAMS });
	expect(failures.map(({ seed, error }) => `npm run fuzz:chat -- --seed ${seed}: ${error.message}`)).toEqual([]);
	expect(streams).toBe(STREAMS);
	expect(tooRare(counts, streams)).toEqual([]);
});
