// Connects the parts of the page: what core says is shown, what a person decides is sent, and what is not known any more is shown as such.
import type { ApprovalRow, ApprovalsView, HistoryView, NowView, StopAnswer, WhyView } from "./answers.ts";
import { approvalCard, type Decide, endedApproval, named } from "./approval-cards.ts";
import { CoreLink, type LinkState, Refused } from "./core-link.ts";
import { byId, code, el, keepRows, setText, show } from "./element.ts";
import { incidentCard, whyCard } from "./incident-cards.ts";
import { showHistory, showLevel, showNodes, showNotices, showStops } from "./sections.ts";
import { isOver, paintTimes, wholeSeconds } from "./times.ts";

const HISTORY_ROWS = 30;
const APPROVALS_SHOWN = 20;
/** Questions that ended stay in sight for a while, so that nobody wonders where one went. */
const ENDED_SHOWN = 3;
const ENDED_SHOWN_MS = 600_000;

const say = (text: string): void => {
	const live = byId("said");
	live.textContent = "";
	live.textContent = text;
};

const askDialog = byId<HTMLDialogElement>("ask");
const stopButton = byId<HTMLButtonElement>("stop");

const decide: Decide = {
	approve: async (row) => {
		await link.post(`/approvals/${encodeURIComponent(row.approval)}/approve`, { boundHash: row.boundHash, by: link.by, via: "page" });
		say(`approved: ${row.name} on ${row.node}`);
		await link.refresh();
	},
	deny: async (row, why) => {
		await link.post(`/approvals/${encodeURIComponent(row.approval)}/deny`, { by: link.by, via: "page", ...(why === "" ? {} : { why }) });
		say(`denied: ${row.name} on ${row.node}`);
		await link.refresh();
	},
	stop: () => void stop(),
};

const showSentence = (now: NowView, waiting: number): void => {
	const asks = waiting === 0 ? "" : ` ${waiting === 1 ? "1 question waits" : `${waiting} questions wait`} for you.`;
	const sentence = byId("sentence");
	setText(sentence, `${now.sentence.charAt(0).toUpperCase()}${now.sentence.slice(1)}${asks}`);
	sentence.className = `sentence ${now.healthy ? "good" : "bad"}`;
	setText(byId("mesh"), now.mesh);
	const { repaired, cleared } = now.lastDay;
	const past =
		repaired + cleared === 0 ? "No incident ended in the last 24 hours" : `In the last 24 hours ${repaired} repaired, ${cleared} went away by themselves`;
	const lag = now.core.lag > 100 ? ` Core is ${now.core.lag} records behind.` : "";
	setText(byId("day"), `${past}. Core ${now.core.code} runs for ${wholeSeconds(now.core.upMs)}.${lag}`);
	document.title = `${now.healthy && waiting === 0 ? "" : `(${now.incidents.open + waiting}) `}${now.mesh}`;
};

const whyOf = async (id: string): Promise<HTMLElement> => whyCard(await link.get<WhyView>(`/why/${encodeURIComponent(id)}`));

const showIncidents = ({ incidents }: NowView, atMs: number): void => {
	const holder = byId("incidents");
	keepRows(
		holder,
		incidents.rows,
		({ id }) => id,
		// Its age runs by itself: only what was said anew is shown anew.
		({ openForMs: _openForMs, ...row }) => JSON.stringify(row),
		(row) => {
			const before = [...holder.children].find((child) => child instanceof HTMLElement && child.dataset["key"] === row.id);
			const wasOpen = before?.querySelector("details")?.open ?? (incidents.rows[0]?.id === row.id && matchMedia("(min-width: 50rem)").matches);
			return incidentCard(row, atMs, whyOf, wasOpen);
		},
		() => el("p", { class: "dim" }, "None is open. See how one looks with ", code("orion demo"), " or raise one: ", code('orion alert door "left open"')),
	);
};

const showApprovals = (rows: readonly ApprovalRow[], atMs: number): void => {
	const open = rows.filter(({ status }) => status === "open");
	const ended = rows
		.filter(({ status, decidedAt, decideBy }) => status !== "open" && Date.now() - Date.parse(decidedAt ?? decideBy) < ENDED_SHOWN_MS)
		.slice(0, ENDED_SHOWN);
	const holder = byId("approvals");
	const known = new Set([...holder.children].map((child) => (child instanceof HTMLElement ? child.dataset["key"] : undefined)));
	for (const row of open.filter(({ approval }) => !known.has(approval))) {
		// That somebody had it before his eyes is a record, too; whether it is kept decides nothing.
		void link.post(`/approvals/${encodeURIComponent(row.approval)}/seen`, { by: link.by, via: "page" }).catch(() => undefined);
		say(`${named(row)} on ${row.node} waits for your decision`);
	}
	show(byId("approvals-section"), open.length + ended.length > 0);
	setText(byId("approvals-title"), open.length > 0 ? "Waits for you" : "Was asked lately");
	keepRows(
		holder,
		[...open, ...ended],
		({ approval }) => approval,
		({ decideInMs: _decideInMs, ...row }) => JSON.stringify(row),
		(row) => (row.status === "open" ? approvalCard(row, atMs, askDialog, decide) : endedApproval(row)),
	);
	const question = askDialog.dataset["approval"];
	// Decided elsewhere, or over: what was being asked is no question any more.
	if (askDialog.open && question !== undefined && !open.some(({ approval }) => approval === question)) {
		askDialog.close();
		const row = rows.find(({ approval }) => approval === question);
		say(`The question is over: ${row?.status ?? "it is gone"}.`);
	}
};

/** A core without approvals has none. */
const askApprovals = async (): Promise<readonly ApprovalRow[]> => {
	try {
		return (await link.get<ApprovalsView>(`/state/approvals?status=all&limit=${APPROVALS_SHOWN}`)).approvals;
	} catch (error) {
		if (error instanceof Refused && error.status === 404) return [];
		throw error;
	}
};

/** What core said: the newest questions, for the sentence about now, and whether it ever said anything. */
const asked: { rows: readonly ApprovalRow[]; loaded: boolean } = { rows: [], loaded: false };

const showNow = (now: NowView): void => {
	const atMs = performance.now();
	showSentence(now, asked.rows.filter(({ status }) => status === "open").length);
	showNotices(now);
	showIncidents(now, atMs);
	showNodes(now, atMs);
	showLevel(now);
	showStops(now.stops);
	const answer = byId("stop-answer");
	// What was answered to a stop is of interest until that stop is released.
	if (now.stops.length > 0) answer.dataset["held"] = "yes";
	else if (answer.dataset["held"] === "yes") {
		answer.dataset["held"] = "no";
		show(answer, false);
	}
};

const load = async (): Promise<number> => {
	const [now, history, rows] = await Promise.all([
		link.get<NowView>("/state/now"),
		link.get<HistoryView>(`/state/history?limit=${HISTORY_ROWS}`),
		askApprovals(),
	]);
	asked.rows = rows;
	asked.loaded = true;
	showApprovals(rows, performance.now());
	showNow(now);
	showHistory(history);
	return now.rev;
};

const LINK_SAYS: Readonly<Record<LinkState, string>> = { waiting: "asking", live: "live", lost: "no connection", over: "not signed in" };

const showLink = (state: LinkState, why: string): void => {
	document.body.dataset["link"] = state;
	setText(byId("link"), LINK_SAYS[state]);
	byId("link").className = `badge ${state === "live" ? "good" : state === "waiting" ? "dim" : "bad"}`;
	show(byId("stale"), state === "lost" || state === "over");
	if (state === "over") setText(byId("stale"), `This browser is not signed in. On the machine of the mesh, type: orion open\n(${why})`);
	// Nothing was ever shown: there is nothing to show as old.
	show(byId("main"), state !== "over" || asked.loaded);
	// What can no longer be decided on good grounds is not offered; STOP always is.
	for (const button of document.querySelectorAll<HTMLButtonElement>("main button")) button.disabled = state !== "live";
	if (state !== "live" && askDialog.open) askDialog.close();
	paintStale();
};

const paintStale = (): void => {
	if (link.state === "lost") setText(byId("stale"), `No connection to core. What stands below is ${wholeSeconds(link.silentMs)} old and may be wrong.`);
};

const stopSays = ({ nodes }: StopAnswer): string =>
	nodes.length === 0
		? "Stop was sent. No node that moves anything is here."
		: `Stop: ${[...nodes]
				.sort((left, right) => Number(left.ms !== null) - Number(right.ms !== null))
				.map(({ node, ms, safety }) => (ms === null ? `${node} did NOT answer` : `${node} ${safety} after ${Math.max(1, Math.round(ms))} ms`))
				.join("; ")}`;

const tellStop = (text: string): void => {
	setText(byId("stop-answer"), text);
	show(byId("stop-answer"), true);
};

/** At once and without a question: a stop too many costs little, one too few does not. */
const stop = async (): Promise<void> => {
	tellStop("STOP is being sent ...");
	try {
		tellStop(stopSays(await link.post<StopAnswer>("/stop", { node: "all", by: link.by, via: "page" })));
		await link.refresh();
	} catch (error) {
		const why = error instanceof Refused ? error.message : "core does not answer";
		tellStop(`STOP was NOT confirmed: ${why}. Use the switch at the robot, or type: orion stop --all`);
	}
};

const link = new CoreLink({ load, loadAges: async () => showNow(await link.get<NowView>("/state/now")), onState: showLink });

stopButton.addEventListener("click", () => void stop());
document.addEventListener("keydown", (event) => {
	const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
	if (event.key.toLowerCase() !== "s" || typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
	event.preventDefault();
	void stop();
});
setInterval(() => {
	paintTimes();
	paintStale();
	const over = [...byId("approvals").querySelectorAll<HTMLElement>(".asks")].filter(isOver);
	for (const card of over) for (const button of card.querySelectorAll("button")) button.disabled = true;
	// What became of it is for core to say.
	if (over.length > 0 && link.state === "live") void link.refresh();
}, 1_000);
void link.start();
