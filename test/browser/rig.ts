// Connects tests to a real browser in front of the page: headless Chromium, a desk over the real engine, and whatever the browser complained about.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { bundlePage } from "../../build/page.mjs";
import { peer } from "../../build/peers.mjs";
import { type HttpApi, openHttp } from "../../core/service/http.ts";
import { DeskWorld } from "../core/http-desk.ts";
import { ROOT } from "../support/mesh.ts";

export const TOKEN = "token-of-test-0123456789abcdef0123456789";

const FLAGS = [
	"--headless",
	"--no-sandbox",
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
] as const;

export const PHONE = { width: 390, height: 844 } as const;
export const DESK = { width: 1_200, height: 900 } as const;

export interface Looks {
	readonly size?: { readonly width: number; readonly height: number };
	readonly scheme?: "light" | "dark";
}

/** A page with everything that the browser held against it. */
export interface Watched {
	readonly page: Page;
	/** Violations of the content policy, errors of the script, and requests that left this host. */
	readonly complaints: string[];
}

/** One browser for a file of tests; each look is a profile of its own, empty, closed with `forget`. */
export class TestBrowser {
	#browser: Promise<Browser> | undefined;
	readonly #contexts: BrowserContext[] = [];

	#launch(): Promise<Browser> {
		const { command, env } = peer("chromium");
		const said = Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
		return chromium.launch({ executablePath: command, env: said, args: [...FLAGS] });
	}

	async look(looks: Looks = {}): Promise<Watched> {
		this.#browser ??= this.#launch();
		const context = await (await this.#browser).newContext({ viewport: looks.size ?? DESK, colorScheme: looks.scheme ?? "light" });
		this.#contexts.push(context);
		const page = await context.newPage();
		const complaints: string[] = [];
		page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
		page.on("console", (said) => {
			if (/Content Security Policy|Trusted Type/i.test(said.text())) complaints.push(said.text());
		});
		page.on("request", (asked) => {
			if (!/^(http:\/\/127\.0\.0\.1:|data:)/.test(asked.url())) complaints.push(`asked elsewhere: ${asked.url()}`);
		});
		return { page, complaints };
	}

	async forget(): Promise<void> {
		for (const context of this.#contexts.splice(0)) await context.close();
	}

	async close(): Promise<void> {
		await this.forget();
		await (await this.#browser)?.close();
	}
}

/** A world that begins now, so that what the browser shows of time is as it would be; its node was heard a moment ago. */
export const worldNow = (): DeskWorld => {
	const world = new DeskWorld(Date.now());
	world.lives = [
		{
			node: "host",
			connected: true,
			metricsNotRecorded: 0,
			session: "1.0",
			tick: 4,
			safety: "working",
			pulseAgeMs: 400,
			metricsAgeMs: 2_000,
			metrics: { uptimeSeconds: 5, cpuRatio: 0.12, memoryUsedRatio: 0.41, diskUsedRatioMax: 0.63, temperatureMaxCelsius: 52 },
		},
	];
	return world;
};

/** The API over a world, with the page as it is built. */
export const servePage = async (world: DeskWorld, port = 0): Promise<HttpApi> =>
	openHttp({
		desk: world.desk(),
		token: TOKEN,
		host: "127.0.0.1",
		port,
		clock: { now: () => performance.now() as never, wall: () => Date.now() as never },
		page: await bundlePage(),
	});

/** As `orion open` does it. */
export const linkTo = async (url: string, token: string): Promise<string> => {
	const answer = await fetch(`${url}/session/link`, { method: "POST", headers: { authorization: `Bearer ${token}` }, body: JSON.stringify({ by: "lars" }) });
	return ((await answer.json()) as { url: string }).url;
};

export const isLive = (page: Page): Promise<unknown> => page.waitForSelector('body[data-link="live"]');

/** Kept for people to look at. */
export const shoot = async (page: Page, name: string): Promise<void> => {
	const folder = join(ROOT, ".cache/screens");
	mkdirSync(folder, { recursive: true });
	await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
};
