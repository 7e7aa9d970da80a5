// Decides the demo's chapters about the record: what is malformed or foreign is kept apart with its reason, and the whole story is explained and replayed.
import { mqttConnect } from "../../edge/mqtt.ts";
import type { Stage } from "./stage.ts";
import type { Chapter } from "./story.ts";

const KEEPALIVE_S = 30;

const quarantines: Chapter<Stage> = {
	id: "quarantine",
	title: "A malformed message and one for a foreign subtree: kept apart, with the reason",
	tell: async (stage, teller) => {
		const node = await stage.client.post<{ readonly username: string; readonly password: string }>("/nodes", { node: "garden", by: "demo" });
		const verdicts: string[] = [];
		const after = stage.watch.newest;
		const connect = mqttConnect({ url: stage.mqtt, username: node.username, password: node.password });
		const garden = await connect({
			clientId: "garden",
			keepaliveSeconds: KEEPALIVE_S,
			onMessage: (topic, bytes) => {
				if (topic.endsWith("/verdict")) verdicts.push(new TextDecoder().decode(bytes));
			},
			onClosed: () => undefined,
		});
		try {
			await garden.subscribe([{ topic: "orion/v1/garden/verdict", qos: 1 }]);
			const alert = (source: string, severity: string): Uint8Array =>
				new TextEncoder().encode(
					JSON.stringify({
						specversion: "1.0",
						id: `demo-${source}-${severity}`,
						source,
						type: "dev.orion.alert.firing.v1",
						data: { name: "dry", severity, summary: "the soil is dry" },
					}),
				);
			await garden.publish("orion/v1/garden/evt/alert", alert("/nodes/garden", "terrible"), { qos: 1, retain: false });
			const malformed = await stage.see("quarantine", "dev.orion.quarantine.entry.v1", after);
			teller.say(`garden says severity "terrible": acknowledged, and quarantined: ${malformed.envelope.data.detail}`);
			teller.check(malformed.envelope.data.pointer === "/data/severity", `the reason names /data/severity, not ${malformed.envelope.data.pointer}`);
			await garden.publish("orion/v1/demo/evt/alert", alert("/nodes/demo", "error"), { qos: 1, retain: false });
			const foreign = await stage.see("quarantine", "dev.orion.quarantine.entry.v1", malformed.position);
			teller.say(`garden speaks for demo: quarantined, ${foreign.envelope.data.code}: ${foreign.envelope.data.detail}`);
			await stage.until("garden is told why", () => verdicts.length > 0);
			teller.check(stage.watch.all("dev.orion.alert.firing.v1", after).length === 0, "neither of them became an alert");
			teller.say("neither became an alert; garden was told why and is still connected");
		} finally {
			await garden.close();
		}
	},
};

const explains: Chapter<Stage> = {
	id: "explain",
	title: "Why, and is it true? The whole story explained, and decided again from the log",
	tell: async (stage, teller) => {
		const incident = stage.watch.all("dev.orion.incident.opened.v1", 0, ({ data }) => data.service === "database")[0]?.envelope.data.incident ?? "";
		const why = await stage.orion("why", incident);
		teller.show(`orion why ${incident}`, why.out);
		teller.check(why.code === 0, `orion why ends with 0, not ${why.code}: ${why.err}`);
		const replay = await stage.orion("replay", "--json");
		teller.check(replay.code === 0, `orion replay ends with 0, not ${replay.code}: ${replay.err}${replay.out}`);
		const { records, inputs, outputs, ms, same } = JSON.parse(replay.out) as Record<string, number> & { readonly same: boolean };
		teller.check(same === true, "replay gives the same, byte for byte");
		for (const [name, value] of Object.entries({ records, inputs, outputs, replayMs: ms })) if (value !== undefined) teller.figure(name, value);
		teller.say(`replay: ${records} records decided again in ${ms} ms: the same, byte for byte`);
		const audit = await stage.orion("audit", "verify", "--json");
		teller.check(audit.code === 0, `orion audit verify ends with 0, not ${audit.code}: ${audit.err}${audit.out}`);
		teller.say("audit: every record is an entry of the chained file, and its signed checkpoints hold");
	},
};

export const QUARANTINE: readonly Chapter<Stage>[] = [quarantines];
export const EXPLAIN: readonly Chapter<Stage>[] = [explains];
