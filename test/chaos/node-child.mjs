// Starts test/chaos/node-child.ts: `node node-child.mjs FOLDER LIFE`.
import { load } from "../../build/run-typescript.mjs";

const [folder, life] = process.argv.slice(2);
const { main } = await load("test/chaos/node-child.ts");
await main(folder, life);
