// Connects tests of the page to questions that wait for a person: answered in the shapes of the API, decided once, and never by silence.
import type { Page, Route } from "playwright-core";

type Status = "open" | "approved" | "denied" | "expired";

export interface Question {
	readonly approval: string;
	status: Status;
	readonly name: string;
	readonly node: string;
	readonly undo: "left-as-found" | "impossible";
	/** Monotonic milliseconds of this test. */
	readonly decideByMs: number;
	by?: string;
	said?: string;
}

/** What a person sent. */
export interface Sent {
	readonly path: string;
	readonly body: Readonly<Record<string, unknown>>;
	readonly key: string | undefined;
}

export class Questions {
	readonly rows: Question[] = [];
	readonly sent: Sent[] = [];
	/** Questions that the page said to have shown. */
	readonly seen: string[] = [];

	/** One more question; `withinMs`: how long there is to decide. */
	ask(name: string, withinMs: number, undo: Question["undo"] = "left-as-found"): Question {
		const row: Question = {
			approval: `apr-${String(this.rows.length + 1).padStart(12, "0")}`,
			status: "open",
			name,
			node: "host",
			undo,
			decideByMs: performance.now() + withinMs,
		};
		this.rows.push(row);
		return row;
	}

	async answerTo(page: Page): Promise<void> {
		await page.route("**/state/approvals?*", (route) => route.fulfill({ json: this.#view() }));
		await page.route("**/approvals/*/*", (route) => this.#decide(route));
	}

	#view(): unknown {
		const at = new Date().toISOString();
		const approvals = this.rows.map((row) => {
			const leftMs = Math.round(row.decideByMs - performance.now());
			if (row.status === "open" && leftMs <= 0) row.status = "expired";
			return {
				approval: row.approval,
				status: row.status,
				incident: "inc-1",
				title: "web on host is down",
				node: row.node,
				name: row.name,
				args: { service: "web" },
				targets: ["web"],
				risk: "RISKY",
				plan: `${row.name} web, then watch for 3 s whether it helped`,
				why: "two restarts did not help",
				blast: "who uses web sees it stop",
				undo: row.undo,
				undoSays: row.undo === "impossible" ? "what was deleted is gone" : "the service stays stopped until a person starts it",
				evidence: [4],
				boundHash: `sha256:${"a".repeat(64)}`,
				askedAt: at,
				decideBy: new Date(Date.now() + leftMs).toISOString(),
				decideInMs: Math.max(0, leftMs),
				executeBy: new Date(Date.now() + leftMs + 30_000).toISOString(),
				...(row.by === undefined ? {} : { by: row.by, via: "page", decidedAt: at }),
				...(row.said === undefined ? {} : { said: row.said }),
			};
		});
		return { schema: "orion.approvals/1", rev: 1, at, approvals };
	}

	async #decide(route: Route): Promise<void> {
		const asked = route.request();
		const path = new URL(asked.url()).pathname;
		const body = asked.postDataJSON() as Readonly<Record<string, unknown>>;
		if (path.endsWith("/seen")) {
			this.seen.push(path.split("/")[2] ?? "");
			return route.fulfill({ json: { schema: "orion.approval-seen/1" } });
		}
		this.sent.push({ path, body, key: asked.headers()["x-orion-page"] });
		const [, , approval, verb] = path.split("/");
		const row = this.rows.find((candidate) => candidate.approval === approval);
		if (row === undefined || row.status !== "open" || row.decideByMs <= performance.now())
			return route.fulfill({ status: 409, json: { error: { code: "APPROVAL_CLOSED", text: "this question is over: nothing was done" } } });
		row.status = verb === "approve" ? "approved" : "denied";
		row.by = String(body["by"]);
		if (body["why"] !== undefined) row.said = String(body["why"]);
		return route.fulfill({ json: { schema: "orion.approval/1" } });
	}
}
