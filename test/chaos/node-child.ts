// A node of the mesh as a process of its own, which says alerts all the time and prints each that its disk has accepted: what network chaos is measured by.
import { readFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Capability } from "../../agents/capabilities/capability.ts";
import { startAgent } from "../../agents/roles/agent.ts";
import { hostTimers } from "../../agents/roles/host-clock.ts";
import { keptFiles } from "../../agents/roles/kept-files.ts";
import { nodeClock, nodeRandomness } from "../../agents/roles/node-clock.ts";
import type { ConfigNode } from "../../contracts/gen/types.ts";
import { wallTime } from "../../contracts/time.ts";
import { mqttConnect } from "../../edge/mqtt.ts";
import { nodeFiles } from "../../log/node-files.ts";
import { openSegments } from "../../log/segments.ts";

const EVERY_MS = 4;
const OUTBOX_BYTES_MAX = 16 * 1_048_576;
const SEGMENT_BYTES_MAX = 65_536;

const say = (line: string): void => {
	process.stdout.write(`${line}\n`);
};

/** Speaks until it is told to be quiet; what it says has a number that no other life of this node uses. */
const speaker = (life: string): Capability & { quiet: boolean } => {
	const speaking: Capability & { quiet: boolean } = {
		name: "speaker",
		actions: {},
		services: [],
		quiet: false,
		start: async ({ emit, timers }) => {
			let number = 0;
			let said = false;
			const one = async (): Promise<void> => {
				if (speaking.quiet) {
					if (!said) say("quiet");
					said = true;
				} else {
					said = false;
					number += 1;
					const summary = `${life}-${number}`;
					await emit("dev.orion.alert.firing.v1", { name: `chaos-${number % 20}`, severity: "info", summary });
					say(`accepted ${summary}`);
				}
				timers.after(EVERY_MS, () => void one());
			};
			void one();
		},
		stop: async () => undefined,
		run: async () => ({ phase: "failed", reason: "no-such-action" }),
		probe: async () => ({ phase: "unknown", reason: "no-such-action" }),
		announce: async () => undefined,
	};
	return speaking;
};

export const main = async (folder: string, life: string): Promise<void> => {
	const fatal = (error: unknown): never => {
		process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
		process.exit(70);
	};
	const config = JSON.parse(readFileSync(join(folder, "node.json"), "utf8")) as ConfigNode;
	const host = nodeClock();
	let wallOffsetMs = 0;
	const speaking = speaker(life);
	createInterface({ input: process.stdin })
		.on("line", (line) => {
			const [verb, value] = line.split(" ");
			if (verb === "clock") wallOffsetMs = Number(value);
			if (verb === "quiet") speaking.quiet = value === "yes";
		})
		.on("close", () => process.exit(0));
	await startAgent({
		config,
		version: "0.0.0-chaos",
		files: await keptFiles(folder),
		openLog: async (name) => {
			const path = join(folder, name);
			const archive = join(path, "archive");
			return {
				log: await openSegments({
					files: nodeFiles(),
					folder: path,
					mesh: config.mesh,
					keyOf: () => undefined,
					onFatal: fatal,
					segmentBytesMax: SEGMENT_BYTES_MAX,
				}),
				sweep: async () => {
					for (const old of await readdir(archive)) await rm(join(archive, old), { force: true });
				},
			};
		},
		connect: mqttConnect(config),
		clock: { ...host, wall: () => wallTime(host.wall() + wallOffsetMs) },
		timers: hostTimers(),
		random: nodeRandomness(),
		capabilities: [speaking],
		note: (event, facts) => say(`note ${event} ${JSON.stringify(facts ?? {})}`),
		outboxBytesMax: OUTBOX_BYTES_MAX,
	});
	say("started");
};
