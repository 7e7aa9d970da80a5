// Connects the suites: `unit` decides in seconds, `thorough` explores crashes and real processes, `system` starts a whole mesh on loopback, `chaos` breaks it.
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const SETUP = ["test/support/seed.ts"];
/** Needs an image that npm's registry has and a clone has not: `npm run test:firmata`. */
const FIRMATA = ["test/firmata/**/*.test.ts"];
const SYSTEM = ["test/system/**/*.test.ts", "test/browser/**/*.test.ts"];
/** Use a whole machine: one after the other. */
const CHAOS = ["test/chaos/**/*.test.ts", "test/fuzz/**/*.test.ts"];
const THOROUGH = [
	"test/agents/agent-process.test.ts",
	"test/agents/agent.test.ts",
	"test/agents/process*.test.ts",
	"test/agents/robot*.test.ts",
	"test/agents/stop.test.ts",
	"test/broker/hostile.test.ts",
	"test/bus/**/*.test.ts",
	"test/conformance/mqtt*.test.ts",
	"test/broker/connections*.test.ts",
	"test/log/**/*.test.ts",
	"test/simulation/**/*.test.ts",
	"test/telegram/channel.test.ts",
	"test/telegram/streams.test.ts",
	"test/firmware-bridge/board-*.test.ts",
	"test/robot/**/*.test.ts",
];

export default defineConfig({
	test: {
		// One for each core: the default leaves one core to whoever watches, which is half of a small machine.
		maxWorkers: availableParallelism(),
		projects: [
			{
				test: {
					name: "unit",
					setupFiles: SETUP,
					include: ["test/**/*.test.ts"],
					exclude: [...SYSTEM, ...CHAOS, ...THOROUGH, ...FIRMATA],
					testTimeout: 60_000,
					// Files share what they import: none of them changes a module, and a third of the time was importing.
					isolate: false,
				},
			},
			{ test: { name: "thorough", setupFiles: SETUP, include: THOROUGH, testTimeout: 120_000, hookTimeout: 60_000 } },
			{ test: { name: "firmata", setupFiles: SETUP, include: FIRMATA, testTimeout: 300_000 } },
			{
				test: {
					name: "system",
					setupFiles: SETUP,
					include: SYSTEM,
					testTimeout: 180_000,
					hookTimeout: 60_000,
					expect: { poll: { timeout: 20_000 } },
				},
			},
			{
				test: {
					name: "chaos",
					setupFiles: SETUP,
					include: CHAOS,
					testTimeout: 180_000,
					hookTimeout: 60_000,
					fileParallelism: false,
					expect: { poll: { timeout: 20_000 } },
				},
			},
		],
	},
});
