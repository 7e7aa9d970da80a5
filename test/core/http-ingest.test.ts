// Shows that events and alerts that come over HTTP are kept once, answered when they are on disk, and refused with their reason (RUN-21).
import { describe, expect, test } from "vitest";
import { OrionError } from "../../contracts/errors.ts";
import { openHttp } from "../../core/service/http.ts";
import type { CoreDesk } from "../../core/service/ports.ts";
import { openIncidents } from "../../core/state.ts";
import { DeskWorld } from "./http-desk.ts";
import { openOver, TOKEN } from "./http-rig.ts";

const event = (id: string, name = "door") => ({
	specversion: "1.0",
	id,
	source: "/core/operator",
	type: "dev.orion.alert.firing.v1",
	data: { name, severity: "warning", summary: "left open" },
});

const BATCH = { "content-type": "application/cloudevents-batch+json" };

interface Kept {
	readonly events: readonly { readonly id?: string; readonly duplicate?: boolean; readonly position?: number; readonly error?: { readonly code: string } }[];
}

describe("a batch of events", () => {
	test("is kept in its order, each with its own answer; sent again it changes nothing", async () => {
		const world = new DeskWorld();
		const http = await openOver(world);
		const events = [event("a", "one"), event("b", "two"), event("c", "three")];
		const first = await http.ask<Kept>("/events", { body: events, headers: BATCH });
		expect([first.status, first.body.events.map(({ id, duplicate }) => [id, duplicate])]).toEqual([
			201,
			[
				["a", false],
				["b", false],
				["c", false],
			],
		]);
		const positions = first.body.events.map(({ position = 0 }) => position);
		expect(positions).toEqual([...positions].sort((left, right) => left - right));
		const head = world.head;
		const again = await http.ask<Kept>("/events", { body: events, headers: { "content-type": "application/cloudevents-batch+json; charset=utf-8" } });
		expect([again.status, again.body.events.every(({ duplicate }) => duplicate === true), world.head]).toEqual([200, true, head]);
	});

	test("what is bad in it is refused by itself: 207; all bad: 422; no list, too many, too large: nothing is kept", async () => {
		const world = new DeskWorld();
		const http = await openOver(world);
		const mixed = await http.ask<Kept>("/events", { body: [event("a"), { ...event("b"), source: "/nodes/other" }, 7], headers: BATCH });
		expect([mixed.status, mixed.body.events.map(({ error }) => error?.code)]).toEqual([207, [undefined, "SOURCE_FOREIGN", "CONTRACT_VIOLATED"]]);
		expect((await http.ask("/events", { body: [1, 2], headers: BATCH })).status).toBe(422);
		const head = world.head;
		expect((await http.ask("/events", { body: event("c"), headers: BATCH })).body).toMatchObject({ error: { code: "NOT_JSON" } });
		expect((await http.ask("/events", { body: Array.from({ length: 257 }, (_, index) => event(`n${index}`)), headers: BATCH })).status).toBe(400);
		expect((await http.ask("/events", { body: [{ ...event("d"), pad: "x".repeat(1_100_000) }], headers: BATCH })).status).toBe(413);
		expect(world.head).toBe(head);
	});

	test("an answer comes only when it is on disk, and not at all as kept when the disk cannot take it", async () => {
		const world = new DeskWorld();
		const desk = world.desk();
		const waiting: (() => void)[] = [];
		const slow: CoreDesk = {
			...desk,
			submit: async (bytes) => {
				await new Promise<void>((resolve) => {
					waiting.push(resolve);
				});
				return desk.submit(bytes);
			},
		};
		const full: CoreDesk = { ...desk, submit: () => Promise.reject(new OrionError("DISK_FULL", { folder: "/data" })) };
		const options = { token: TOKEN, host: "127.0.0.1", port: 0, clock: world.clock() };
		for (const [path, body, headers] of [
			["/events", [event("a"), event("b")], BATCH],
			["/ingest/alertmanager", alertmanager([alert()]), {}],
		] as const) {
			const api = await openHttp({ ...options, desk: slow });
			let answered = false;
			const asked = fetch(`http://127.0.0.1:${api.port}${path}`, {
				method: "POST",
				headers: { authorization: `Bearer ${TOKEN}`, ...headers },
				body: JSON.stringify(body),
			}).then((response) => {
				answered = true;
				return response.status;
			});
			await expect.poll(() => waiting.length, { timeout: 10_000 }).toBeGreaterThan(0);
			expect(answered).toBe(false);
			for (const go of waiting.splice(0)) go();
			expect(await asked).toBe(201);
			await api.close();
			const refusing = await openHttp({ ...options, desk: full });
			const refused = await fetch(`http://127.0.0.1:${refusing.port}${path}`, {
				method: "POST",
				headers: { authorization: `Bearer ${TOKEN}`, ...headers },
				body: JSON.stringify(body),
			});
			// 5xx: the sender tries again.
			expect(refused.status).toBe(507);
			await refusing.close();
		}
	});
});

const alert = (more: Readonly<Record<string, unknown>> = {}) => ({
	status: "firing",
	labels: { alertname: "HostOutOfMemory", instance: "db1:9100", job: "node", severity: "critical" },
	annotations: { summary: "Memory is nearly full", description: "VALUE = 3.1" },
	startsAt: "2026-11-20T22:04:11.123Z",
	endsAt: "0001-01-01T00:00:00Z",
	generatorURL: "http://prometheus:9090/graph?g0.expr=up",
	fingerprint: "1f2e3d4c5b6a7988",
	...more,
});

/** As Alertmanager sends it, with fields of its newest version. */
const alertmanager = (alerts: readonly unknown[], more: Readonly<Record<string, unknown>> = {}) => ({
	version: "4",
	groupKey: '{}:{alertname="HostOutOfMemory"}',
	truncatedAlerts: 0,
	status: "firing",
	receiver: "orion",
	groupLabels: { alertname: "HostOutOfMemory" },
	commonLabels: { alertname: "HostOutOfMemory" },
	commonAnnotations: {},
	externalURL: "http://alertmanager:9093",
	notification_reason: "group_interval",
	alerts,
	...more,
});

/** As Grafana sends it. */
const GRAFANA = {
	receiver: "orion",
	status: "firing",
	orgId: 1,
	alerts: [
		{
			status: "firing",
			labels: { alertname: "Disk full", grafana_folder: "Home", host: "nas" },
			annotations: { description: "The disk of nas is full" },
			startsAt: "2026-11-20T23:04:11+01:00",
			endsAt: "0001-01-01T00:00:00Z",
			generatorURL: "https://grafana/alerting/grafana/abc/view",
			fingerprint: "c6eadffa33fcdf37",
			silenceURL: "https://grafana/alerting/silence/new",
			dashboardURL: "",
			panelURL: "",
			values: { B: 97.2, C: 1 },
			valueString: "[ var='B' value=97.2 ]",
		},
	],
	groupLabels: { alertname: "Disk full" },
	commonLabels: {},
	commonAnnotations: {},
	externalURL: "https://grafana/",
	appVersion: "13.0.0",
	version: "1",
	groupKey: "{}",
	truncatedAlerts: 2,
	title: "[FIRING:1] Disk full Home",
	state: "alerting",
	message: "**Firing**",
};

interface Taken {
	readonly leftOut: number;
	readonly alerts: readonly {
		readonly name?: string;
		readonly status?: string;
		readonly duplicate?: boolean;
		readonly overtaken?: boolean;
		readonly error?: { readonly code: string };
	}[];
}

const opened = async () => {
	const world = new DeskWorld();
	const http = await openOver(world);
	return { world, send: (body: unknown) => http.ask<Taken>("/ingest/alertmanager", { body }) };
};

const titles = ({ state }: DeskWorld) => openIncidents(state).map(({ title, severity }) => [title, severity]);

describe("alerts of others", () => {
	test("of Alertmanager: each becomes an incident with its severity and labels, and its end ends it", async () => {
		const { world, send } = await opened();
		const second = alert({ fingerprint: "ffff", labels: { alertname: "HostOutOfMemory", instance: "db2:9100", severity: "warning" } });
		const answer = await send(alertmanager([alert(), second]));
		expect([answer.status, answer.body.leftOut, answer.body.alerts.map(({ duplicate }) => duplicate)]).toEqual([201, 0, [false, false]]);
		expect(titles(world).map(([title, severity]) => [String(title).replace(/\.[0-9a-f]{8} /, " "), severity])).toEqual([
			["HostOutOfMemory on host: Memory is nearly full (db1:9100)", "critical"],
			["HostOutOfMemory on host: Memory is nearly full (db2:9100)", "warning"],
		]);
		const stored = world.records.find(({ envelope }) => envelope.type === "dev.orion.alert.firing.v1")?.envelope;
		expect(stored).toMatchObject({ source: "/nodes/host.alertmanager", time: "2026-11-20T22:04:11.123Z", data: { labels: { job: "node" } } });
		await send(alertmanager([alert({ status: "resolved", endsAt: "2026-11-20T22:09:11Z" })], { status: "resolved" }));
		expect(titles(world)).toHaveLength(1);
	});

	test("of Grafana: the same way, with the value that it measured", async () => {
		const { world, send } = await opened();
		const answer = await send(GRAFANA);
		expect([answer.status, answer.body.leftOut]).toEqual([201, 2]);
		expect(titles(world)[0]?.[0]).toMatch(/^Disk-full\.[0-9a-f]{8} on host: The disk of nas is full$/);
		const stored = world.records.find(({ envelope }) => envelope.type === "dev.orion.alert.firing.v1")?.envelope;
		expect(stored).toMatchObject({ time: "2026-11-20T22:04:11.000Z", data: { value: 97.2, severity: "warning" } });
	});

	test("sent again, in any company and with other surroundings, an alert is the same alert", async () => {
		const { world, send } = await opened();
		await send(alertmanager([alert()]));
		const head = world.head;
		const again = await send(
			alertmanager([alert({ generatorURL: "http://other", endsAt: "2030-01-01T00:00:00Z" })], { receiver: "x", groupKey: "y", another: { new: true } }),
		);
		expect([again.status, again.body.alerts[0]?.duplicate, world.head]).toEqual([200, true, head]);
		// It began anew: that is news.
		await send(alertmanager([alert({ status: "resolved" })]));
		const anew = await send(alertmanager([alert({ startsAt: "2026-11-21T08:00:00Z" })]));
		expect([anew.status, openIncidents(world.state).length]).toEqual([201, 1]);
	});

	test("the end before the beginning, and a beginning told late, leave nothing open", async () => {
		const { world, send } = await opened();
		expect((await send(alertmanager([alert({ status: "resolved" })]))).status).toBe(201);
		const late = await send(alertmanager([alert()]));
		expect([late.status, late.body.alerts[0]?.overtaken, openIncidents(world.state).length]).toEqual([200, true, 0]);
	});

	test.each([
		["no endsAt, no annotations, no generatorURL", { status: "firing", labels: { alertname: "A" }, startsAt: "2026-11-20T22:04:11Z" }],
		["no fingerprint", { ...alert(), fingerprint: undefined }],
		["no labels at all", { status: "firing", startsAt: "2026-11-20T22:04:11Z" }],
		["no times", { status: "firing", labels: { alertname: "A" } }],
		["times that are none", alert({ startsAt: "yesterday", endsAt: 7 })],
		["labels of other kinds", alert({ labels: { alertname: "A", port: 9100, up: true, nested: { a: 1 }, none: null } })],
		["a name that is no name", alert({ labels: { alertname: "  Größe > 5 / \u0000" } })],
		["texts without end", alert({ labels: { alertname: "A".repeat(5_000), long: "x".repeat(5_000) }, annotations: { summary: "s".repeat(9_000) } })],
		["more labels than are kept", alert({ labels: Object.fromEntries(Array.from({ length: 90 }, (_, index) => [`l${index}`, "x"])) })],
		["fields that nobody knows yet", alert({ notification_reason: "x", routeLabels: { a: "b" }, future: [1, { two: 3 }] })],
	])("tolerated: %s", async (_name, one) => {
		const { world, send } = await opened();
		const answer = await send(alertmanager([one]));
		expect([answer.status, answer.body.alerts.map(({ error }) => error?.code)]).toEqual([201, [undefined]]);
		expect(openIncidents(world.state)).toHaveLength(1);
	});

	test("no alerts is an answer; what is no payload is refused by its pointer; what is no alert is refused, and the others are kept", async () => {
		const { world, send } = await opened();
		expect((await send(alertmanager([]))).status).toBe(200);
		for (const bad of [{}, { alerts: {} }, [], 7, { alerts: Array.from({ length: 513 }, () => alert()) }]) expect((await send(bad)).status).toBe(422);
		const mixed = await send(alertmanager(["x", alert()]));
		expect([mixed.status, mixed.body.alerts.map(({ error }) => error?.code)]).toEqual([207, ["CONTRACT_VIOLATED", undefined]]);
		expect(openIncidents(world.state)).toHaveLength(1);
	});
});
