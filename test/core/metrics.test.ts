// Shows that monitoring reads what is so: the format, the names, the counts, and labels that stay bounded whatever comes (RUN-22).
import { describe, expect, test } from "vitest";
import type { Envelope } from "../../contracts/envelope.ts";
import { Tally } from "../../core/service/tally.ts";
import { DeskWorld, hopeless, repaired } from "./http-desk.ts";
import { openOver } from "./http-rig.ts";
import { lintMetrics, parseMetrics } from "./prometheus-text.ts";

const scrape = async (world: DeskWorld) => {
	const http = await openOver(world, { gauges: { mqttClients: () => 3, residentBytes: () => 5e7 } });
	const answer = await http.ask("/metrics");
	expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
	const { metrics } = parseMetrics(answer.text);
	const reading = (name: string, labels: Readonly<Record<string, string>> = {}): number | undefined =>
		metrics
			.flatMap(({ samples }) => samples)
			.find((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))?.value;
	return { text: answer.text, names: metrics.map(({ name }) => name), reading };
};

describe("/metrics", () => {
	test("is text that Prometheus takes, under the names that are promised", async () => {
		const { text, names } = await scrape(repaired());
		expect(lintMetrics(text, 500)).toEqual([]);
		for (const name of [
			"orion_events_total",
			"orion_incidents_open",
			"orion_decision_duration_seconds",
			"orion_action_outcomes_total",
			"orion_node_up",
			"orion_node_safe_mode",
			"orion_approvals_pending",
			"orion_approval_wait_seconds",
			"orion_mqtt_clients",
			"orion_build_info",
			"orion_edge_outbox_bytes",
		])
			expect(names).toContain(name);
	});

	test("says when the audit was last found whole: a verification that found something does not count", async () => {
		const world = repaired();
		const name = "orion_audit_last_verified_timestamp_seconds";
		expect((await scrape(world)).reading(name)).toBeUndefined();
		const http = await openOver(world);
		const told = { by: "anna", good: true, entryCount: 9, signedUpToPosition: 9 };
		expect((await http.ask("/audit/verified", { method: "POST", body: JSON.stringify(told) })).status).toBe(200);
		const atSeconds = (await scrape(world)).reading(name);
		expect(atSeconds).toBe(world.state.clock.wallMs / 1_000);
		world.tick(60_000);
		await http.ask("/audit/verified", { method: "POST", body: JSON.stringify({ ...told, good: false, badPosition: 4 }) });
		expect((await scrape(world)).reading(name)).toBe(atSeconds);
		expect((await http.ask("/audit/verified", { method: "POST", body: JSON.stringify({ ...told, good: "yes" }) })).status).toBe(422);
	});

	test("counts what happened and shows what is so", async () => {
		const world = repaired();
		world.alert("door", "critical");
		world.lives = [{ node: "host", connected: true, metricsNotRecorded: 0, session: "1.0", tick: 4, safety: "stopped", pulseAgeMs: 250, outboxBytes: 4_096 }];
		const { reading } = await scrape(world);
		expect(reading("orion_events_total", { type: "dev.orion.process.down.v1", node: "host" })).toBe(1);
		expect(reading("orion_edge_outbox_bytes", { node: "host" })).toBe(4_096);
		expect(reading("orion_build_info", { version: world.desk().info().code, commit: "0123456789ab" })).toBe(1);
		expect(reading("orion_action_outcomes_total", { action: "process.restart", outcome: "verified" })).toBe(1);
		expect(reading("orion_incidents_open", { severity: "critical" })).toBe(1);
		expect(reading("orion_incidents_open", { severity: "error" })).toBe(0);
		expect(reading("orion_node_up", { node: "host" })).toBe(1);
		expect(reading("orion_node_safe_mode", { node: "host" })).toBe(1);
		expect(reading("orion_node_pulse_age_seconds", { node: "host" })).toBe(0.25);
		expect(reading("orion_autonomy_level", { level: "N2" })).toBe(1);
		expect(reading("orion_autonomy_level", { level: "N0" })).toBe(0);
		expect(reading("orion_mqtt_clients")).toBe(3);
		const decisions = world.records.filter(({ envelope }) => envelope.type === "dev.orion.decision.made.v1").length;
		expect(reading("orion_decision_duration_seconds_count")).toBe(decisions);
		const failed = await scrape(hopeless());
		expect(failed.reading("orion_action_outcomes_total", { outcome: "not-verified" })).toBe(2);
	});

	test("questions are counted by their end; how long people take is known from their answers only", async () => {
		const world = new DeskWorld();
		world.node("host", ["web"]);
		world.level("N3");
		world.tick(1_000);
		const runaway = { name: "service-runaway", severity: "error", summary: "it eats all memory", labels: { service: "web" } } as const;
		world.input("/nodes/host", "dev.orion.alert.firing.v1", runaway);
		expect((await scrape(world)).reading("orion_approvals_pending")).toBe(1);
		world.tick(600_001);
		const silent = await scrape(world);
		expect(silent.reading("orion_approvals_pending")).toBe(0);
		expect(silent.reading("orion_approval_outcomes_total", { outcome: "expired" })).toBe(1);
		expect(silent.reading("orion_approval_wait_seconds_count")).toBe(0);
		world.tick(1_800_001);
		const again = world.records.findLast(({ envelope }) => envelope.type === "dev.orion.approval.requested.v1")?.envelope;
		if (again?.type !== "dev.orion.approval.requested.v1") throw new Error("nobody was asked");
		world.tick(20_000);
		const denied = await world.desk().decideApproval({ approval: again.data.approval, verdict: "deny", by: "lars", via: "page" });
		expect(denied.ok).toBe(true);
		const answered = await scrape(world);
		expect(answered.reading("orion_approval_outcomes_total", { outcome: "denied" })).toBe(1);
		expect(answered.reading("orion_approval_wait_seconds_count")).toBe(1);
		expect(answered.reading("orion_approval_wait_seconds_bucket", { le: "15" })).toBe(0);
		expect(answered.reading("orion_approval_wait_seconds_bucket", { le: "30" })).toBe(1);
	});

	test("TELL-47: an ask for a higher level is counted like every other question", async () => {
		const world = new DeskWorld();
		world.level("N2");
		const data = { ask: "apr-00112233aabb", level: "N3", before: "N2", by: "telegram:1 Anna", via: "telegram", decideWithinMs: 600_000 } as const;
		world.input("/core/telegram", "dev.orion.level.asked.v1", data);
		expect((await scrape(world)).reading("orion_approvals_pending")).toBe(1);
		world.tick(600_001);
		const silent = await scrape(world);
		expect(silent.reading("orion_approvals_pending")).toBe(0);
		expect(silent.reading("orion_approval_outcomes_total", { outcome: "expired" })).toBe(1);
	});

	test("needs the token, and no incident, event or person ever becomes a label", async () => {
		const world = hopeless();
		const http = await openOver(world);
		expect((await http.ask("/metrics", { token: null })).status).toBe(401);
		const { text } = await http.ask("/metrics");
		expect(text).not.toMatch(/inc-|act-|dec-|lars/);
	});

	test("10,000 incidents of 3,000 nodes make no more series than before, beyond those of the nodes that get their own", () => {
		const tally = new Tally(() => 1);
		for (let index = 0; index < 10_000; index++)
			tally.count(index + 1, { source: `/nodes/n${index % 3_000}`, type: "dev.orion.alert.firing.v1", data: { name: `a${index}` } } as unknown as Envelope);
		const nodes = tally.events.get("dev.orion.alert.firing.v1");
		expect(nodes?.size).toBe(1_001);
		expect([...(nodes?.values() ?? [])].reduce((sum, count) => sum + count, 0)).toBe(10_000);
	});

	test("a decision's duration is from its cause's arrival; one whose cause is forgotten is not guessed at", () => {
		let nowMs = 1_000;
		const tally = new Tally(() => nowMs);
		const record = (type: string, causeposition?: number) => ({ source: "/core/brain", type, causeposition, data: {} }) as unknown as Envelope;
		tally.count(10, record("dev.orion.process.down.v1"));
		nowMs += 30;
		tally.count(11, record("dev.orion.decision.made.v1", 10));
		tally.count(12, record("dev.orion.decision.made.v1", 9));
		tally.count(70_000, record("dev.orion.decision.made.v1", 10));
		expect(tally.decisions.sum).toBeCloseTo(0.03);
		expect(tally.decisions.counts.reduce((sum, count) => sum + count, 0)).toBe(1);
	});

	test.each([
		["no end of the last line", "# HELP orion_node_up A node.\n# TYPE orion_node_up gauge\norion_node_up 1"],
		["no help", "# TYPE orion_node_up gauge\norion_node_up 1\n"],
		["a counter without _total", "# HELP orion_records A.\n# TYPE orion_records counter\norion_records 1\n"],
		["milliseconds", "# HELP orion_wait_ms A.\n# TYPE orion_wait_ms gauge\norion_wait_ms 1\n"],
		["a foreign name", "# HELP mesh_node_up A.\n# TYPE mesh_node_up gauge\nmesh_node_up 1\n"],
		["a quote that is not escaped", '# HELP orion_node_up A.\n# TYPE orion_node_up gauge\norion_node_up{node="a"b"} 1\n'],
		["the same series twice", "# HELP orion_node_up A.\n# TYPE orion_node_up gauge\norion_node_up 1\norion_node_up 1\n"],
		["no number", "# HELP orion_node_up A.\n# TYPE orion_node_up gauge\norion_node_up yes\n"],
		[
			"a histogram whose buckets fall",
			'# HELP orion_a_seconds A.\n# TYPE orion_a_seconds histogram\norion_a_seconds_bucket{le="1"} 3\norion_a_seconds_bucket{le="+Inf"} 2\norion_a_seconds_sum 1\norion_a_seconds_count 2\n',
		],
	])("the linter finds %s", (_name, text) => {
		expect(lintMetrics(text, 10).length).toBeGreaterThan(0);
	});
});
