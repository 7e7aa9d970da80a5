// Decides the demo's chapters about repairs: seen and explained at N0, done at N2, given up when it does not help, survived when everything is killed.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Envelope } from "../../contracts/envelope.ts";
import { NODE, type Stage } from "./stage.ts";
import type { Chapter, Teller } from "./story.ts";
import type { Seen } from "./watch.ts";

type Incident = Seen<"dev.orion.incident.opened.v1"> | Seen<"dev.orion.incident.reopened.v1">;

const answers = async (stage: Stage): Promise<string | undefined> => {
	try {
		return await (await fetch(`http://127.0.0.1:${stage.webPort}/`, { signal: AbortSignal.timeout(500) })).text();
	} catch {
		return undefined;
	}
};

const of = (service: string) => (envelope: Envelope<"dev.orion.incident.opened.v1">) => envelope.data.service === service;

/** The incident of a service behind a position: a new one, or the one of before that is open again. */
const opened = (stage: Stage, service: string, after: number): Promise<Incident> => {
	const [before] = stage.watch.all("dev.orion.incident.opened.v1", 0, of(service));
	const what = `an incident about ${service}`;
	return before === undefined || before.position > after
		? stage.see(what, "dev.orion.incident.opened.v1", after, of(service))
		: Promise.race([
				stage.see(what, "dev.orion.incident.reopened.v1", after, ({ data }) => data.incident === before.envelope.data.incident),
				stage.see(what, "dev.orion.incident.opened.v1", after, of(service)),
			]);
};

const about = (incident: string) => (envelope: { readonly data: { readonly incident: string } }) => envelope.data.incident === incident;

const setLevel = async (stage: Stage, teller: Teller, level: "N0" | "N2" | "N3"): Promise<void> => {
	teller.show(`orion level ${level}`, "");
	await stage.client.post("/level", { level, by: "demo" });
};

const observed: Chapter<Stage> = {
	id: "observe",
	title: "At N0 a service is killed: the mesh sees it, and says what it would do",
	tell: async (stage, teller) => {
		await stage.running();
		const greeting = await answers(stage);
		teller.check(greeting !== undefined, "the web service answers before anything happens to it");
		teller.say(`the web service answers: "${greeting}"`);
		const after = stage.watch.newest;
		const beganMs = performance.now();
		const pid = stage.kill("web");
		teller.say(`kill -9 ${pid}`);
		const incident = await opened(stage, "web", after);
		teller.figure("seenMs", Math.round(incident.atMs - beganMs));
		teller.say(`incident ${incident.envelope.data.incident}: web on ${NODE} is down (seen after ${Math.round(incident.atMs - beganMs)} ms)`);
		const decision = await stage.see("a decision", "dev.orion.decision.made.v1", incident.position, about(incident.envelope.data.incident));
		const { verdict, why, change, rows } = decision.envelope.data;
		teller.check(verdict === "would", `at N0 the verdict is "would", not "${verdict}"`);
		teller.say(`decision: ${verdict.toUpperCase()}, ${why}`);
		for (const row of rows.filter(({ id, matched }) => matched && id === "observe-only")) teller.say(`because of ${row.at}: ${row.detail}`);
		for (const way of change.slice(0, 1)) teller.say(`what would change it: ${way}`);
		// A while later, still nothing was asked for: observing is all that N0 does.
		await stage.until("a second went by", () => performance.now() - decision.atMs > 1_000);
		teller.check(stage.watch.all("dev.orion.action.requested.v1").length === 0, "at N0 nothing is executed");
		teller.check((await answers(stage)) === undefined, "the web service stays down");
		teller.say("nothing was executed; the service is still down");
	},
};

const repaired = async (stage: Stage, teller: Teller, incident: string, after: number, beganMs: number): Promise<void> => {
	const action = await stage.see("an action", "dev.orion.action.requested.v1", after, about(incident));
	teller.say(`${action.envelope.data.name} is ordered, signed and sent (${action.envelope.data.action})`);
	await stage.until("the web service answers again", async () => (await answers(stage)) !== undefined);
	const answersMs = Math.round(performance.now() - beganMs);
	teller.figure("answersAgainMs", answersMs);
	teller.say(`the web service answers again, ${answersMs} ms after that: "${await answers(stage)}"`);
	const verified = await stage.see("verification", "dev.orion.outcome.verified.v1", action.position, about(incident));
	teller.say(`verified: it stayed up for ${verified.envelope.data.clearForMs} ms; only now it counts as repaired`);
	await stage.see("the end of the incident", "dev.orion.incident.resolved.v1", action.position, about(incident));
	teller.figure("resolvedMs", Math.round(performance.now() - beganMs));
};

const repairs: Chapter<Stage> = {
	id: "repair",
	title: "N2 is allowed: the open incident is decided again, repaired and verified",
	tell: async (stage, teller) => {
		const incident = stage.watch.all("dev.orion.incident.opened.v1", 0, of("web"))[0]?.envelope.data.incident ?? "";
		const after = stage.watch.newest;
		const beganMs = performance.now();
		await setLevel(stage, teller, "N2");
		await repaired(stage, teller, incident, after, beganMs);
	},
};

const repairsAgain: Chapter<Stage> = {
	id: "repair-again",
	title: "Killed once more at N2: the same, by itself",
	tell: async (stage, teller) => {
		const after = stage.watch.newest;
		const beganMs = performance.now();
		teller.say(`kill -9 ${stage.kill("web")}`);
		const incident = await opened(stage, "web", after);
		await repaired(stage, teller, incident.envelope.data.incident, incident.position, beganMs);
	},
};

const givesUp: Chapter<Stage> = {
	id: "give-up",
	title: "A service that cannot be repaired: after two attempts it is left alone, and a person is asked",
	tell: async (stage, teller) => {
		const disk = join(stage.folder, "disk");
		const after = stage.watch.newest;
		rmSync(disk);
		teller.say(`the database's disk goes away, and the database is killed (pid ${stage.kill("database")})`);
		const incident = (await opened(stage, "database", after)).envelope.data.incident;
		const first = await stage.see("a repair that fails", "dev.orion.outcome.failed.v1", after, about(incident));
		teller.say(`restarted, and that did not help: ${first.envelope.data.why}`);
		const second = await stage.see("a second repair that fails", "dev.orion.outcome.failed.v1", first.position, about(incident));
		teller.say(`tried again after the cooldown, that did not help either: ${second.envelope.data.why}`);
		const breaker = await stage.see("an open breaker", "dev.orion.breaker.opened.v1", after, ({ data }) => data.key.includes("database"));
		teller.check(stage.watch.all("dev.orion.action.requested.v1", after, about(incident)).length === 2, "two repairs in a row open the breaker");
		const asked = await stage.see("a call for a person", "dev.orion.person.asked.v1", second.position, about(incident));
		teller.say(`the breaker is open; a person is asked: ${asked.envelope.data.why}`);
		teller.check(stage.pidOf("database") === undefined, "the database is left as it was found");
		teller.say("the person brings the disk back and says so:");
		writeFileSync(disk, "");
		const retried = await stage.orion("retry", "database");
		teller.show("orion retry database", retried.out);
		teller.check(retried.code === 0, `orion retry ends with 0, not ${retried.code}: ${retried.err}`);
		await stage.see("the database is repaired", "dev.orion.incident.resolved.v1", breaker.position, about(incident));
		teller.say("tried again, verified, resolved");
	},
};

const survives: Chapter<Stage> = {
	id: "survive",
	title: "The whole mesh is killed in the middle of a repair: the same incident, one execution",
	tell: async (stage, teller) => {
		const after = stage.watch.newest;
		stage.kill("web");
		const incident = (await opened(stage, "web", after)).envelope.data.incident;
		await stage.see("a signed command", "dev.orion.action.dispatched.v1", after);
		const pids = await stage.killAll();
		teller.say(`the command is on its way; kill -9 of core, broker and agent (${pids.join(", ")})`);
		const known = stage.watch.newest;
		const beganMs = performance.now();
		const readyMs = await stage.start();
		teller.figure("readyAgainMs", readyMs);
		teller.say(`started again, ready after ${readyMs} ms; it goes on where it was`);
		await stage.see("the end of the incident", "dev.orion.incident.resolved.v1", known, about(incident));
		teller.figure("resolvedMs", Math.round(performance.now() - beganMs));
		// One that was started just before the kill is found again and adopted: it is the process that counts, not how it is told.
		const started = new Set(stage.watch.all("dev.orion.process.up.v1", after, ({ data }) => data.service === "web").map(({ envelope }) => envelope.data.pid));
		teller.figure("executions", started.size);
		teller.check(started.size === 1, `the service was started exactly once, not ${started.size} times`);
		const incidents = stage.watch.all("dev.orion.incident.opened.v1", after, of("web"));
		teller.check(incidents.length <= 1, `one incident, not ${incidents.length}`);
		teller.say(`${incident} is resolved; the service was started exactly once`);
	},
};

export const REPAIR: readonly Chapter<Stage>[] = [observed, repairs, repairsAgain, givesUp];
export const SURVIVE: readonly Chapter<Stage>[] = [survives];
