// Connects the suites: `unit` runs in seconds and without a network, `system` starts real processes on loopback.
import { defineConfig } from "vitest/config";

const SYSTEM = ["test/system/**/*.test.ts", "test/chaos/**/*.test.ts"];

export default defineConfig({
	test: {
		projects: [
			{ test: { name: "unit", include: ["test/**/*.test.ts"], exclude: SYSTEM, testTimeout: 30_000 } },
			{ test: { name: "system", include: SYSTEM, testTimeout: 180_000, hookTimeout: 60_000, fileParallelism: false } },
		],
	},
});
