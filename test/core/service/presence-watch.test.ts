// Shows core looking for pulses: what it finds is recorded once, survives its restart, and nobody is blamed for a pause of core or a full disk (HARM-100, HARM-101, HARM-103).
import { describe, expect, test } from "vitest";
import type { CoreBeacon } from "../../../contracts/gen/types.ts";
import { type Parent, PresenceWatch } from "../../../core/service/presence-watch.ts";
import { CoreProcess, messageOf, payloadOf, recordsOf } from "../../support/core.ts";
import { VirtualDisk } from "../../support/disk.ts";
import { SESSION } from "../../support/engine.ts";
import { VirtualHost } from "../../support/world.ts";

const NODES = ["pi-1", "pi-2"] as const;

const opened = async (host = new VirtualHost(), disk = new VirtualDisk({ now: () => host.time.nowMs }), term = 1) => {
	const said: { topic: string; text: string }[] = [];
	const publish = { publish: async (topic: string, bytes: Uint8Array) => void said.push({ topic, text: Buffer.from(bytes).toString() }) };
	const core = new CoreProcess({ host, disk, publish, term });
	const parents = new Map<string, Parent>();
	await core.start();
	const watch = new PresenceWatch({
		journal: core.journal,
		live: core.live,
		world: core.world,
		state: () => core.shell.state,
		foldedUpTo: () => core.shell.readUpTo,
		parentOf: (node) => parents.get(node),
	});
	watch.start();
	core.rounds.start();
	let tick = host.time.nowMs + 1_000_000 * term;
	const beat = (node: string): void => {
		tick += 1;
		core.live.pulse(node, { session: SESSION, tick, safety: "working" });
	};
	const state = async (node: string, word: string, seq: number): Promise<void> => {
		await core.accept(messageOf(node, "node.state", { state: word, session: SESSION, conn: 1 }, seq, SESSION, "safety"));
		await core.shell.idle();
	};
	/** Seconds in which these nodes send their pulse. */
	const seconds = async (count: number, ...nodes: readonly string[]): Promise<void> => {
		for (let second = 0; second < count; second += 1) {
			for (const node of nodes) beat(node);
			await host.time.advance(1_000);
		}
	};
	const found = async () =>
		(await recordsOf(disk)).flatMap(({ envelope }) =>
			envelope.type === "dev.orion.node.silence.v1"
				? [`${envelope.data.node} ${envelope.data.found}${envelope.data.parent === undefined ? "" : ` ${envelope.data.parent}`}`]
				: [],
		);
	const newestTicks = () => Object.keys((payloadOf(said.findLast(({ topic }) => topic.endsWith("/beacon"))?.text ?? "") as CoreBeacon).ticks).sort();
	return { host, disk, core, watch, parents, beat, state, seconds, found, newestTicks };
};

const both = async (rig: Awaited<ReturnType<typeof opened>>): Promise<void> => {
	for (const node of NODES) await rig.state(node, "ready", 1);
	await rig.seconds(10, ...NODES);
};

describe("what is found", () => {
	test("nothing while pulses come; suspect, lost and over, each once, of the one that is silent", async () => {
		const rig = await opened();
		await both(rig);
		expect(await rig.found()).toEqual([]);
		await rig.seconds(1, "pi-1");
		expect(await rig.found()).toEqual([]);
		await rig.seconds(3, "pi-1");
		expect(await rig.found()).toEqual(["pi-2 suspect"]);
		await rig.seconds(60, "pi-1");
		expect(await rig.found()).toEqual(["pi-2 suspect", "pi-2 lost"]);
		await rig.seconds(60, ...NODES);
		expect(await rig.found()).toEqual(["pi-2 suspect", "pi-2 lost", "pi-2 over"]);
	});

	test("a node that never came back while core was away is found too, and one that did is not", async () => {
		const first = await opened();
		await both(first);
		first.core.kill();
		const second = await opened(first.host, first.disk, 2);
		await second.seconds(10, "pi-1");
		expect(await second.found()).toEqual(["pi-2 suspect", "pi-2 lost"]);
	});

	test("a restart of core is no sign of life: what was lost stays lost, and is recorded once", async () => {
		const first = await opened();
		await both(first);
		await first.seconds(10, "pi-1");
		first.core.kill();
		const second = await opened(first.host, first.disk, 2);
		await second.seconds(20, "pi-1");
		expect(await second.found()).toEqual(["pi-2 suspect", "pi-2 lost"]);
		await second.seconds(2, ...NODES);
		expect(await second.found()).toEqual(["pi-2 suspect", "pi-2 lost", "pi-2 over"]);
	});

	test("a pause of core accuses nobody", async () => {
		const rig = await opened();
		await both(rig);
		rig.host.time.nowMs += 3_600_000;
		await rig.seconds(30, ...NODES);
		expect(await rig.found()).toEqual([]);
	});

	test("a full disk: found again when there is room", async () => {
		const rig = await opened();
		await both(rig);
		const append = rig.core.log.append.bind(rig.core.log);
		rig.core.log.append = () => Promise.reject(new Error("ENOSPC"));
		await rig.seconds(4, "pi-1");
		rig.core.log.append = append;
		await rig.seconds(10, "pi-1");
		expect(await rig.found()).toEqual(["pi-2 suspect", "pi-2 lost"]);
	});

	test("while the engine is behind, what it has not read yet is not found a second time", async () => {
		const { host, core } = await opened();
		const silent = { state: "ready", session: SESSION, conn: 1, capabilities: [], actions: [], services: [], changedMs: 0 } as const;
		const noted: string[] = [];
		let foldedUpTo = 99;
		const watch = new PresenceWatch({
			journal: { note: (_source, _type, data) => Promise.resolve(99 + noted.push(JSON.stringify(data))) },
			live: core.live,
			world: core.world,
			state: () => ({ ...core.shell.state, nodes: { "pi-9": silent } }),
			foldedUpTo: () => foldedUpTo,
			parentOf: () => undefined,
		});
		watch.start();
		await host.time.advance(60_000);
		expect(noted.length).toBe(1);
		foldedUpTo = 100;
		await host.time.advance(1_000);
		expect(noted.length).toBe(2);
		await watch.stop();
	});

	test("its broker is not heard: unreachable, not lost; back again it gets its time anew", async () => {
		const rig = await opened();
		await both(rig);
		rig.parents.set("pi-2", { name: "barn", isHeard: false });
		await rig.seconds(30, "pi-1");
		expect(await rig.found()).toEqual(["pi-2 unreachable barn"]);
		rig.parents.set("pi-2", { name: "barn", isHeard: true });
		await rig.seconds(2, "pi-1");
		expect(await rig.found()).toEqual(["pi-2 unreachable barn", "pi-2 over"]);
		await rig.seconds(10, "pi-1");
		expect(await rig.found()).toEqual(["pi-2 unreachable barn", "pi-2 over", "pi-2 suspect", "pi-2 lost"]);
	});

	test("its will or its goodbye ends the search", async () => {
		const rig = await opened();
		await both(rig);
		await rig.seconds(5, "pi-1");
		await rig.state("pi-2", "lost", 2);
		await rig.seconds(10, "pi-1");
		expect(await rig.found()).toEqual(["pi-2 suspect", "pi-2 over"]);
		await rig.state("pi-1", "disconnected", 2);
		await rig.seconds(30);
		expect(await rig.found()).toEqual(["pi-2 suspect", "pi-2 over"]);
	});
});

describe("HARM-103: who is held for lost hears it", () => {
	test("the beacon does not echo it until it is heard again", async () => {
		const rig = await opened();
		await both(rig);
		expect(rig.newestTicks()).toEqual(["pi-1", "pi-2"]);
		await rig.seconds(5, "pi-1");
		expect(rig.newestTicks()).toEqual(["pi-1", "pi-2"]);
		await rig.seconds(4, "pi-1");
		expect(rig.newestTicks()).toEqual(["pi-1"]);
		await rig.seconds(3, ...NODES);
		expect(rig.newestTicks()).toEqual(["pi-1", "pi-2"]);
		await rig.state("pi-1", "lost", 2);
		await rig.seconds(2, ...NODES);
		expect(rig.newestTicks()).toEqual(["pi-2"]);
		await rig.state("pi-1", "ready", 3);
		await rig.seconds(2, ...NODES);
		expect(rig.newestTicks()).toEqual(["pi-1", "pi-2"]);
	});
});
