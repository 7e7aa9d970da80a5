// Shows which presence of a node stays to be seen: the newest, whatever a slow disk or an old connection says after it.
import { afterEach, describe, expect, test } from "vitest";
import { connectPacket, publishBytes, published, Rig, SESSION, stateOf, until } from "./rig.ts";

const rigs: Rig[] = [];
const open = async (options: Parameters<typeof Rig.open>[0] = {}): Promise<Rig> => {
	const rig = await Rig.open(options);
	rigs.push(rig);
	return rig;
};
afterEach(async () => {
	for (const rig of rigs.splice(0)) await rig.close();
});

const STATE = "orion/v1/pi-3/state";
const willOf = (topic: string, message: unknown, retain = true, qos: 0 | 1 | 2 = 1) => ({
	topic,
	payload: Buffer.from(typeof message === "string" ? message : JSON.stringify(message)),
	retain,
	qos,
});
/** Last words as an agent leaves them: without a number. */
const lost = (conn: number, session = SESSION, node = "pi-3") => {
	const { session: _session, lane, seq, mono, time, ...rest } = stateOf(node, "lost", conn, session);
	return rest;
};

describe("presence that stays", () => {
	// No client may read presence, so what stays is seen in what the broker would hand over: its own retained messages.
	const shown = async (rig: Rig): Promise<unknown> => {
		const bytes = await rig.broker.retained(STATE);
		return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString()) as { data: unknown }).data;
	};
	const say = async (rig: Rig, state: string, conn: number, session = SESSION): Promise<void> => {
		const safety = await rig.connected("pi-3.safety");
		expect(await published(safety, STATE, stateOf("pi-3", state, conn, session), { retain: true })).toBeUndefined();
		await new Promise<void>((resolve) => {
			safety.end(false, {}, () => resolve());
		});
	};
	test("an older connection or session never overwrites a newer, and is stored all the same", async () => {
		const rig = await open();
		const newer = "8.00000000000000ff";
		for (const [state, conn, session, seen] of [
			["ready", 2, SESSION, { state: "ready", conn: 2, session: SESSION }],
			["lost", 1, SESSION, { state: "ready", conn: 2, session: SESSION }],
			["disconnected", 3, SESSION, { state: "disconnected", conn: 3, session: SESSION }],
			["init", 0, newer, { state: "init", conn: 0, session: newer }],
			["lost", 9, SESSION, { state: "init", conn: 0, session: newer }],
		] as const) {
			await say(rig, state, conn, session);
			expect(await shown(rig)).toEqual(seen);
		}
		expect(rig.intake.stored).toHaveLength(5);
	});
	test("last words that a slow disk holds back do not overwrite the presence of the next connection", async () => {
		const rig = await open();
		const first = await rig.raw();
		first.send(connectPacket("pi-3.safety", 4, { will: willOf(STATE, lost(1)) }));
		await first.packet("connack");
		first.send(publishBytes(STATE, JSON.stringify(stateOf("pi-3", "ready", 1)), 4, { retain: true }));
		await first.packet("puback");
		rig.intake.hold("held");
		first.socket.destroy();
		await until("last words wait", () => rig.intake.waiting === 1);
		const second = await rig.rawConnected("pi-3.safety");
		second.send(publishBytes(STATE, JSON.stringify(stateOf("pi-3", "ready", 2)), 4, { retain: true }));
		await until("the new presence waits", () => rig.intake.waiting === 2);
		rig.intake.hold("open");
		await second.packet("puback");
		await until("both are stored", () => rig.intake.stored.length === 3);
		expect(await shown(rig)).toMatchObject({ state: "ready", conn: 2 });
	});
	test("presence stays although its sender was gone before it could be thanked", async () => {
		const rig = await open();
		const safety = await rig.rawConnected("pi-3.safety");
		rig.intake.hold("held");
		safety.send(publishBytes(STATE, JSON.stringify(stateOf("pi-3", "ready", 1)), 4, { retain: true }));
		await until("it waits", () => rig.intake.waiting === 1);
		safety.socket.destroy();
		await until("it is gone", () => rig.broker.connections().length === 0);
		rig.intake.hold("open");
		await until("it is stored", () => rig.intake.stored.length === 1);
		expect(await shown(rig)).toMatchObject({ state: "ready" });
	});
});
