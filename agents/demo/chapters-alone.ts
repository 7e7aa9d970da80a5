// Decides the demo's chapter about a node that is cut off: it repairs once by itself, refuses the next time, and accounts for both when it is back.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Stage } from "./stage.ts";
import type { Chapter } from "./story.ts";

const NAME = "shed";

const alone: Chapter<Stage> = {
	id: "alone",
	title: "A node is cut off: it repairs once by itself, refuses the next time, and accounts for it when it is back",
	tell: async (stage, teller) => {
		const after = stage.watch.newest;
		const shed = await stage.addNode(NAME, { pump: [process.execPath, join(stage.folder, "pump.mjs")] });
		await stage.see("the pump runs", "dev.orion.process.up.v1", after, ({ data }) => data.service === "pump");
		const granted = await stage.see("an allowance", "dev.orion.allowance.granted.v1", after, ({ data }) => data.node === NAME);
		await stage.until("the node keeps its allowance", () => shed.said("bundle-adopted", ({ grant }) => grant === granted.envelope.data.number));
		teller.say(`${NAME} joins, with a pump; signed allowance ${granted.envelope.data.number}: what is down may be restarted once while it hears no core`);
		shed.link.cut();
		await stage.until("the node knows that it is alone", () => shed.said("safety", ({ safety }) => safety === "alone"));
		teller.say("its link is cut; it knows that it is alone");
		const beganMs = performance.now();
		const first = stage.killScript("pump.mjs");
		await stage.until("the pump runs again", () => ![undefined, first].includes(stage.scriptPid("pump.mjs")));
		const repairedMs = Math.round(performance.now() - beganMs);
		teller.figure("repairedAloneMs", repairedMs);
		teller.say(`kill -9 ${first}: restarted by the node alone, ${repairedMs} ms later`);
		await stage.until("the repair is over", () => shed.said("alone-acted", ({ outcome }) => outcome === "done"));
		const second = stage.killScript("pump.mjs");
		await stage.until("the node refuses", () => shed.said("alone-refuses", ({ reason }) => reason === "spent"));
		teller.check([undefined, second].includes(stage.scriptPid("pump.mjs")), "the pump stays down after the allowance is spent");
		teller.say("killed once more: the allowance is spent, the node refuses and leaves it down");
		const cutOff = stage.watch.newest;
		teller.check(stage.watch.all("dev.orion.alone.acted.v1").length === 0, "core knows nothing of it yet");
		shed.link.heal();
		const { envelope } = await stage.see("a reconciliation", "dev.orion.reconciliation.made.v1", cutOff, ({ data }) => data.node === NAME);
		teller.check(envelope.data.acted.length === 1 && envelope.data.refused.length === 1, "one repair and one refusal are accounted for");
		teller.figure("aloneMs", envelope.data.aloneMs);
		await stage.until("core repairs what the node might not", () => ![undefined, second].includes(stage.scriptPid("pump.mjs")));
		const card = await stage.orion("reconciliation");
		teller.show("orion reconciliation", card.out);
		teller.check(card.code === 0, `orion reconciliation ends with 0, not ${card.code}: ${card.err}`);
		const next = stage.watch.all("dev.orion.allowance.granted.v1", cutOff, ({ data }) => data.node === NAME).at(-1)?.envelope.data;
		teller.check(
			Object.values(next?.left ?? {}).every((uses) => uses === 0),
			"coming back gave no use back",
		);
		teller.say("nothing was lost, core repaired the pump, and coming back gave no use back");
		teller.check(existsSync(join(stage.folder, "nodes", NAME, "allowance.json")), "the count stands on the node's own disk");
	},
};

export const ALONE: readonly Chapter<Stage>[] = [alone];
