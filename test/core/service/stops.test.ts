// Shows that an order to stop leaves core before anything else happens, whatever the disk does, and is kept until its node says that it was released.
import { describe, expect, test } from "vitest";
import type { RecordTypes } from "../../../contracts/envelope.ts";
import { readStopOrder, writeStopOrder } from "../../../contracts/stop-order.ts";
import { Stops } from "../../../core/service/stops.ts";
import { CoreProcess, messageOf, recordsOf } from "../../support/core.ts";
import { VirtualDisk } from "../../support/disk.ts";
import { VirtualHost } from "../../support/world.ts";

type Safety = RecordTypes["dev.orion.node.safety.v1"];

class Mesh {
	readonly host: VirtualHost;
	readonly disk: VirtualDisk;
	readonly said: { readonly topic: string; readonly bytes: Uint8Array; readonly retain: boolean }[] = [];
	readonly core: CoreProcess;
	readonly stops: Stops;
	nodes: readonly string[] = ["pi-1", "pi-2"];
	hurried = 0;
	#orders = 0;
	#seq = 0;
	#tick = 0;

	constructor(before?: Mesh) {
		this.host = before?.host ?? new VirtualHost();
		this.disk = before?.disk ?? new VirtualDisk({ now: () => this.host.time.nowMs });
		this.core = new CoreProcess({ host: this.host, disk: this.disk, term: before === undefined ? 1 : 2 });
		const { journal, live, world, shell } = this.core;
		this.#orders = before === undefined ? 0 : 0x100;
		this.stops = new Stops({
			journal,
			live,
			world,
			state: () => shell.state,
			foldedUpTo: () => shell.readUpTo,
			nodes: () => this.nodes,
			newOrder: () => {
				this.#orders += 1;
				return this.#orders.toString(16).padStart(16, "0");
			},
		});
		const publish = (topic: string, bytes: Uint8Array, { retain }: { readonly retain: boolean }): Promise<void> => {
			this.said.push({ topic, bytes, retain });
			return Promise.resolve();
		};
		this.stops.connect({ publish }, () => {
			this.hurried += 1;
		});
	}

	async start(): Promise<this> {
		await this.core.start();
		await this.host.time.advance(10);
		return this;
	}
	/** The node answers as its agent does: a pulse that names the order. */
	pulse(node: string, safety: string, order?: string): void {
		this.#tick += 1;
		this.core.live.pulse(node, { session: "1.00112233445566aa", tick: this.#tick, safety, ...(order === undefined ? {} : { order }) });
	}
	async says(node: string, said: Omit<Safety, "kind">): Promise<void> {
		this.#seq += 1;
		const session = "1.00112233445566aa";
		await this.core.accept(messageOf(node, "node.safety", { kind: "still", ...said }, this.#seq, session, "safety"));
		await this.host.time.advance(10);
	}
	async records(type: string): Promise<readonly RecordTypes["dev.orion.stop.requested.v1"][]> {
		return (await recordsOf(this.disk)).flatMap(({ envelope }) =>
			envelope.type === type ? [envelope.data as RecordTypes["dev.orion.stop.requested.v1"]] : [],
		);
	}
}

const one = (order: string, verb: "stop" | "cut" = "stop") => ({ order, verb, by: "peter", via: "cli" });
const FIRST = "0000000000000001";

describe("HARM-45 an order to stop", () => {
	test.each(["stuck", "full"] as const)("leaves at once with a disk that is %s, and is answered from the nodes' own word", async (how) => {
		const mesh = await new Mesh().start();
		if (how === "full") mesh.disk.full = true;
		else mesh.core.log.append = () => new Promise(() => undefined);
		const answer = mesh.stops.order("stop", "all", "peter", "cli");
		expect(mesh.said.map(({ topic, retain }) => `${topic} ${retain}`)).toEqual(["orion/v1/all/stop false"]);
		expect(readStopOrder(mesh.said[0]?.bytes ?? new Uint8Array())).toEqual({ order: FIRST, by: "peter", via: "cli" });
		await mesh.host.time.advance(7);
		mesh.pulse("pi-1", "stopped", FIRST);
		await mesh.host.time.advance(5);
		mesh.pulse("pi-2", "stopped", FIRST);
		expect(await answer).toMatchObject({
			nodes: [
				{ node: "pi-1", ms: 7, safety: "stopped" },
				{ node: "pi-2", ms: 12, safety: "stopped" },
			],
		});
		// It holds already, recorded or not: the next beacon says so.
		expect(mesh.stops.listed().latched).toEqual(["pi-1", "pi-2"]);
		if (how !== "full") return;
		mesh.disk.full = false;
		await mesh.host.time.advance(3_000);
		expect(await mesh.records("dev.orion.stop.requested.v1")).toEqual([
			{ order: FIRST, verb: "stop", node: "all", nodes: ["pi-1", "pi-2"], by: "peter", via: "cli" },
		]);
	});
	test("a node that does not say so itself is silent, whatever else it says", async () => {
		const mesh = await new Mesh().start();
		mesh.pulse("pi-2", "stopped");
		const answer = mesh.stops.order("cut", "all", "peter", "cli");
		mesh.pulse("pi-1", "stopped", "00000000000000ff");
		mesh.pulse("pi-1", "stopped");
		mesh.pulse("pi-2", "stopped", FIRST);
		await mesh.host.time.advance(2_000);
		expect((await answer).nodes).toEqual([
			{ node: "pi-1", ms: null, safety: "unknown" },
			{ node: "pi-2", ms: 0, safety: "stopped" },
		]);
	});
	test("one node that nobody knows is ordered all the same", async () => {
		const mesh = await new Mesh().start();
		const answer = mesh.stops.order("stop", "pi-9", "peter", "http");
		expect(mesh.said[0]?.topic).toBe("orion/v1/pi-9/stop");
		await mesh.host.time.advance(2_000);
		expect((await answer).nodes).toEqual([{ node: "pi-9", ms: null, safety: "unknown" }]);
		expect(mesh.stops.listed().stops).toEqual([{ node: "pi-9", verb: "stop", order: FIRST, by: "peter" }]);
	});
	test("that came to the broker is kept with who sent it, readable or not", async () => {
		const mesh = await new Mesh().start();
		mesh.stops.heard("stop", "pi-1", "pi-7", Buffer.from("halt!"));
		mesh.stops.heard("cut", "pi-2", "pi-7", writeStopOrder(one("00000000000000bb")));
		await mesh.host.time.advance(10);
		expect(await mesh.records("dev.orion.stop.requested.v1")).toMatchObject([
			{ node: "pi-1", by: "pi-7", via: "mqtt" },
			{ node: "pi-2", verb: "cut", by: "peter", order: "00000000000000bb" },
		]);
	});
	test("a flood of them changes nothing and does not fill the disk", async () => {
		const mesh = await new Mesh().start();
		for (let round = 0; round < 500; round += 1) mesh.stops.heard("stop", "pi-1", "pi-7", Buffer.from(String(round)));
		await mesh.host.time.advance(10);
		expect((await mesh.records("dev.orion.stop.requested.v1")).length).toBeLessThanOrEqual(8);
		mesh.stops.heard("cut", "pi-1", "pi-7", Buffer.from("cut"));
		await mesh.host.time.advance(10);
		expect(mesh.stops.listed().stops).toMatchObject([{ node: "pi-1", verb: "cut" }]);
	});
});

describe("HARM-51 core keeps a stop", () => {
	test("through its own restart, until the node says that it was released", async () => {
		const before = await new Mesh().start();
		const answer = before.stops.order("stop", "pi-1", "peter", "cli");
		before.pulse("pi-1", "stopped", FIRST);
		await answer;
		await before.host.time.advance(10);
		before.core.kill();
		const mesh = await new Mesh(before).start();
		expect(mesh.stops.listed()).toEqual({ latched: ["pi-1"], stops: [{ node: "pi-1", verb: "stop", order: FIRST, by: "peter" }], releases: [] });
		const released = mesh.stops.release("pi-1", "anna", "cli");
		await mesh.host.time.advance(100);
		expect(mesh.stops.listed()).toEqual({ latched: [], stops: [], releases: [{ node: "pi-1", orders: [FIRST] }] });
		expect(mesh.hurried).toBe(1);
		await mesh.says("pi-1", { state: "working", released: [FIRST] });
		await mesh.host.time.advance(100);
		expect(await released).toMatchObject({ ok: true, value: { node: "pi-1", ms: expect.any(Number) } });
		expect(mesh.stops.listed()).toEqual({ latched: [], stops: [], releases: [] });
		expect(mesh.core.shell.state.stops).toEqual({});
	});
	test("a node that does not confirm is told on, and whoever released it learns that", async () => {
		const mesh = await new Mesh().start();
		void mesh.stops.order("stop", "pi-1", "peter", "cli");
		await mesh.host.time.advance(10);
		const released = mesh.stops.release("pi-1", "anna", "cli");
		await mesh.host.time.advance(9_000);
		expect(await released).toMatchObject({ ok: true, value: { ms: null } });
		expect(mesh.stops.listed().releases).toEqual([{ node: "pi-1", orders: [FIRST] }]);
	});
	test("an order that came after the release was decided still holds", async () => {
		const mesh = await new Mesh().start();
		void mesh.stops.order("stop", "pi-1", "peter", "cli");
		await mesh.host.time.advance(10);
		void mesh.stops.release("pi-1", "anna", "cli");
		await mesh.host.time.advance(50);
		void mesh.stops.order("stop", "pi-1", "lars", "cli");
		await mesh.host.time.advance(10);
		expect(mesh.stops.listed()).toMatchObject({ stops: [{ node: "pi-1", order: "0000000000000002", by: "lars" }], releases: [{ orders: [FIRST] }] });
		await mesh.says("pi-1", { state: "stopped", latch: { verb: "stop", orders: [one("0000000000000002")], repeats: 1 }, released: [FIRST] });
		expect(mesh.stops.listed()).toMatchObject({ latched: ["pi-1"], releases: [] });
	});
	test("what a node was stopped with while nobody heard it is known from its own word, and so is its end", async () => {
		const mesh = await new Mesh().start();
		const order = { ...one("00000000000000cc", "cut"), via: "local" };
		await mesh.says("pi-2", { state: "stopped", latch: { verb: "cut", orders: [order], repeats: 0 }, released: [] });
		expect(mesh.stops.listed().stops).toEqual([{ node: "pi-2", verb: "cut", order: order.order, by: "peter" }]);
		expect(await mesh.stops.release("pi-2", "anna", "cli")).toMatchObject({ ok: false, fault: { code: "CUT_NEEDS_PRESENCE" } });
		await mesh.says("pi-2", { state: "working", released: [order.order] });
		expect(mesh.stops.listed().stops).toEqual([]);
		expect(await mesh.stops.release("pi-2", "anna", "cli")).toMatchObject({ ok: false, fault: { code: "STOP_NOT_HELD" } });
	});
	test("a word of before the order does not take it back", async () => {
		const mesh = await new Mesh().start();
		void mesh.stops.order("stop", "pi-1", "peter", "cli");
		await mesh.host.time.advance(10);
		await mesh.says("pi-1", { state: "working", released: [] });
		expect(mesh.stops.listed().latched).toEqual(["pi-1"]);
	});
});
