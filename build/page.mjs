// Connects the sources of the page to what a browser loads: one document, one sheet, one script, nothing from elsewhere.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const FOLDER = "core/service/page";

/** { html, css, script } as texts. */
export const bundlePage = async () => {
	const common = { absWorkingDir: root, bundle: true, write: false, minify: true, target: ["chrome109", "firefox115", "safari16"], logLevel: "warning" };
	const [script, sheet] = await Promise.all([
		build({ ...common, entryPoints: [`${FOLDER}/main.ts`], format: "iife", platform: "browser" }),
		build({ ...common, entryPoints: [`${FOLDER}/page.css`] }),
	]);
	return { html: readFileSync(join(root, FOLDER, "index.html"), "utf8"), css: sheet.outputFiles[0].text, script: script.outputFiles[0].text };
};
