// `npm test`: everything that can be tested on a desk, in under ten minutes, without a service started or anything installed into the host.
import { CHECKS, root, runSteps } from "./steps.mjs";

runSteps("test", [
	["build", process.execPath, "build/bundle.mjs"],
	...CHECKS,
	["thorough: crashes, real processes, simulation", `${root}node_modules/.bin/vitest`, "run", "--project", "thorough"],
	["system: whole meshes and the page", `${root}node_modules/.bin/vitest`, "run", "--project", "system"],
	["small chaos rounds", `${root}node_modules/.bin/vitest`, "run", "--project", "chaos"],
]);
