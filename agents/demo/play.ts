// Decides what the demo's mesh watches: three small real services, one of which can lose its disk.
import type { Play } from "./stage.ts";

const WEB = `import { createServer } from "node:http";
createServer((_request, response) => response.end("hello from " + process.pid)).listen(Number(process.argv[2]), "127.0.0.1");
`;

/** Refuses to run while its disk is gone, as a real one would. */
const DATABASE = `import { existsSync } from "node:fs";
import { join } from "node:path";
if (!existsSync(join(process.argv[2], "disk"))) {
	process.stderr.write("cannot open the database: the disk is not there\\n");
	process.exit(3);
}
setInterval(() => {}, 60_000);
`;

const IDLES = `setInterval(() => {}, 60_000);
`;

export interface ShippedPolicies {
	readonly actions: string;
	readonly autonomy: string;
	readonly approvals: string;
}

/** A shipped policy with something else in it; what is not there would be a demo of something else. */
const changed = (text: string, from: string, to: string): string => {
	if (!text.includes(from)) throw new Error(`the shipped policy does not say ${from}`);
	return text.replace(from, to);
};

/** The shipped policies, but for shorter waits, seconds to decide, and one use alone instead of two, so that the story takes less than a minute. */
export const playWith = ({ actions, autonomy, approvals }: ShippedPolicies, decideWithin: string): Play => ({
	services: (folder, webPort) => ({
		web: [process.execPath, `${folder}/web.mjs`, String(webPort)],
		database: [process.execPath, `${folder}/database.mjs`, folder],
		indexer: [process.execPath, `${folder}/indexer.mjs`],
	}),
	programs: { "web.mjs": WEB, "database.mjs": DATABASE, "indexer.mjs": IDLES, "pump.mjs": IDLES, disk: "" },
	policies: {
		"policies/actions.yaml": changed(changed(actions, "cooldown: 5s", "cooldown: 1s"), "cooldown: 60s", "cooldown: 1s"),
		"policies/autonomy.yaml": changed(autonomy, "uses: 2", "uses: 1"),
		"policies/approvals.yaml": changed(changed(approvals, "decideWithin: 10min", `decideWithin: ${decideWithin}`), "asksPerHour: 6", "asksPerHour: 30"),
	},
});
