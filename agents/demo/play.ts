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

const INDEXER = `setInterval(() => {}, 60_000);
`;

export const PLAY: Play = {
	services: (folder, webPort) => ({
		web: [process.execPath, `${folder}/web.mjs`, String(webPort)],
		database: [process.execPath, `${folder}/database.mjs`, folder],
		indexer: [process.execPath, `${folder}/indexer.mjs`],
	}),
	programs: { "web.mjs": WEB, "database.mjs": DATABASE, "indexer.mjs": INDEXER, disk: "" },
	policies: {},
};
