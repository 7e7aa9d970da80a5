// Connects ORION_SEED to the property tests: with it they draw the same cases each time; without it, new ones.
import fc from "fast-check";

const seed = process.env["ORION_SEED"];
if (seed !== undefined) {
	if (!/^-?\d{1,10}$/.test(seed)) throw new Error(`ORION_SEED is a whole number, not ${seed}`);
	fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });
}
