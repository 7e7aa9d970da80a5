// A program for the process tests: it supervises what its first argument names, says on stdout what it would have told the mesh, and is killed.

import { processCapability, readBootId } from "../../agents/capabilities/process.ts";
import { hostTimers } from "../../agents/roles/host-clock.ts";
import { keptFiles } from "../../agents/roles/kept-files.ts";
import { nodeClock, nodeRandomness } from "../../agents/roles/node-clock.ts";

const [folder = "", processes = "{}"] = process.argv.slice(2);
const files = await keptFiles(folder);
const random = nodeRandomness();
const capability = processCapability({ processes: JSON.parse(processes), folder, files, bootId: readBootId(), newMark: () => random.hex(16) });
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
await capability.start({
	emit: (type, data) => Promise.resolve(say({ type, data })),
	measure: () => undefined,
	safety: () => "working",
	clock: nodeClock(),
	timers: hostTimers(),
	note: () => undefined,
});
say({ type: "started" });
setInterval(() => undefined, 1_000);
