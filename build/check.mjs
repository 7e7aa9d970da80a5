// `npm run check`: what everyone runs before a commit; under a minute.
import { CHECKS, runSteps } from "./steps.mjs";

runSteps("check", CHECKS);
