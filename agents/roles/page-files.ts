// Connects the built page to whoever serves it: read once, from beside the built code.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PageFiles } from "../../core/service/http-page.ts";

const PLACES = ["./page", "../../dist/page"] as const;

/** undefined: it was not built. */
export const readPage = async (): Promise<PageFiles | undefined> => {
	const folder = PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((place) => existsSync(join(place, "index.html")));
	if (folder === undefined) return undefined;
	const [html, css, script] = await Promise.all(["index.html", "page.css", "page.js"].map((file) => readFile(join(folder, file), "utf8")));
	return { html: html ?? "", css: css ?? "", script: script ?? "" };
};
