// Decides the demo's chapter about approvals: RISKY is refused at N2, asked at N3; silence and a no do nothing, a yes bound to what was shown does it once.
import type { ApprovalsView } from "../../core/service/views-approvals.ts";
import type { Stage } from "./stage.ts";
import type { Chapter, Teller } from "./story.ts";
import type { Seen } from "./watch.ts";

type Asked = Seen<"dev.orion.approval.requested.v1">;

const RAISE = ["alert", "service-runaway", "indexer eats the memory", "--severity", "error", "--label", "service=indexer"] as const;
const RESOLVE = ["alert", "service-runaway", "--resolved", "--label", "service=indexer"] as const;

const isUp = (stage: Stage): boolean => stage.pidOf("indexer") !== undefined;

const asked = (stage: Stage, after: number): Promise<Asked> =>
	stage.see("a question to a person", "dev.orion.approval.requested.v1", after, ({ data }) => data.args["service"] === "indexer");
const closed = (stage: Stage, { envelope }: Asked, after: number) =>
	stage.see("the end of the question", "dev.orion.approval.closed.v1", after, ({ data }) => data.approval === envelope.data.approval);

/** The alert ends and comes back: another occurrence, another question. */
const raiseAgain = async (stage: Stage): Promise<number> => {
	const after = stage.watch.newest;
	await stage.orion(...RESOLVE);
	await stage.see("the alert is over", "dev.orion.incident.resolved.v1", after);
	await stage.orion(...RAISE);
	return after;
};

const setLevel = async (stage: Stage, teller: Teller, level: "N2" | "N3"): Promise<void> => {
	teller.show(`orion level ${level}`, "");
	await stage.client.post("/level", { level, by: "demo" });
};

const asks: Chapter<Stage> = {
	id: "ask",
	title: "A RISKY repair: refused at N2, asked at N3; silence is no, no is no, and a yes does it once",
	tell: async (stage, teller) => {
		const begin = stage.watch.newest;
		teller.show(`orion ${RAISE.map((word) => (word.includes(" ") ? `"${word}"` : word)).join(" ")}`, "");
		await stage.orion(...RAISE);
		const refused = await stage.see("a decision", "dev.orion.decision.made.v1", begin, ({ data }) => data.action === "process.stop");
		teller.check(
			refused.envelope.data.verdict === "refused" && /N3/.test(refused.envelope.data.why),
			`at N2 it is refused because it needs N3, not: ${refused.envelope.data.why}`,
		);
		teller.say(`at N2: ${refused.envelope.data.verdict.toUpperCase()}, ${refused.envelope.data.why}`);

		await setLevel(stage, teller, "N3");
		const first = await asked(stage, begin);
		const { plan, blast, undoSays, decideWithinMs } = first.envelope.data;
		teller.say(`at N3 a person is asked: ${plan} Touches: ${blast}. Undo: ${undoSays}. To be decided within ${decideWithinMs / 1_000} s`);
		const expired = await closed(stage, first, first.position);
		teller.check(expired.envelope.data.end === "expired", `silence expires, it does not end ${expired.envelope.data.end}`);
		teller.check(isUp(stage), "nothing was done");
		teller.say(`nobody answered: expired after ${expired.envelope.data.tookMs} ms, and nothing was done`);

		const second = await asked(stage, await raiseAgain(stage));
		const denied = await stage.orion("deny", second.envelope.data.approval, "-m", "I look at it myself");
		teller.show(`orion deny ${second.envelope.data.approval} -m "I look at it myself"`, denied.out);
		const no = await closed(stage, second, second.position);
		teller.check(no.envelope.data.end === "denied" && isUp(stage), "denied, and nothing was done");

		const third = await asked(stage, await raiseAgain(stage));
		const { approvals } = await stage.client.get<ApprovalsView>("/state/approvals");
		const shown = approvals.find(({ approval }) => approval === third.envelope.data.approval);
		teller.check(shown !== undefined, "the question stands in the list of what waits");
		const yes = await stage.orion("approve", third.envelope.data.approval, "--yes", "-m", "it only makes noise");
		teller.show(`orion approve ${third.envelope.data.approval} -m "it only makes noise"`, yes.out);
		teller.check(yes.code === 0, `orion approve ends with 0, not ${yes.code}: ${yes.err}`);
		const stopped = await stage.see("the service is stopped", "dev.orion.process.stopped.v1", third.position, ({ data }) => data.service === "indexer");
		teller.check(!isUp(stage), "the indexer is stopped");
		const done = stage.watch.all("dev.orion.action.requested.v1", begin, ({ data }) => data.name === "process.stop" && data.args["service"] === "indexer");
		teller.figure("executions", done.length);
		teller.check(done.length === 1 && done[0]?.envelope.data.approval === third.envelope.data.approval, "one execution, and it names its approval");
		const again = await stage.orion("approve", third.envelope.data.approval, "--yes");
		teller.check(again.code !== 0, "a second yes counts for nothing");
		teller.say(`approved: stopped ${Math.round(stopped.atMs - third.atMs)} ms after it was asked, once; a second yes is refused`);
		await stage.orion(...RESOLVE);
		await stage.see("the end of the action", "dev.orion.action.closed.v1", third.position, ({ data }) => data.action === done[0]?.envelope.data.action);
		const undone = await stage.orion("approvals", "undo", third.envelope.data.approval, "-m", "it is mended");
		teller.show(`orion approvals undo ${third.envelope.data.approval}`, undone.out);
		teller.check(undone.code === 0, `orion approvals undo ends with 0, not ${undone.code}: ${undone.err}`);
		await stage.see("the service runs again", "dev.orion.process.up.v1", stopped.position, ({ data }) => data.service === "indexer");
		teller.say("what was approved is taken back: the service runs again");
		await setLevel(stage, teller, "N2");
	},
};

export const ASK: readonly Chapter<Stage>[] = [asks];
