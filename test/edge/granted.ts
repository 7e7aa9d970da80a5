// Decides which bundle of core the tests of a node alone begin with: one row, two uses.
import type { CoreBundle } from "../../contracts/gen/types.ts";

const HASH = `sha256:${"0".repeat(64)}`;
export const ROW = { id: "restart", on: "dev.orion.process.down.v1", action: "process.restart", with: { service: "{service}" }, says: "again" };
export const GRANT = { node: "pi-1", number: 1, counter: 3, reconciled: 0, validMs: 1_000_000, left: { restart: 2 }, counted: {} };
export const BUNDLE: CoreBundle = {
	v: 1,
	mesh: "m",
	coreTerm: { counter: 1, keyId: "k" },
	version: 10,
	policyHash: HASH,
	level: "N2",
	rows: [ROW],
	grants: [GRANT],
};
