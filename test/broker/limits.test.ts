// Shows how much one client may take: connections, names, guesses and packets per second are bounded, each bound told with what to do, and nobody else pays (HARM-11 to HARM-15).
import { afterEach, describe, expect, test } from "vitest";
import { Bucket, Buckets } from "../../broker/bucket.ts";
import { Crowd } from "../../broker/crowd.ts";
import { Guesses } from "../../broker/guesses.ts";
import { LIMITS } from "../../broker/limits.ts";
import { Throttle } from "../../broker/throttle.ts";
import { sayFault } from "../../contracts/errors.ts";
import { connectPacket, hear, numbered, PASSWORD, PING, publishBytes, Rig, subscribed, until } from "./rig.ts";

const rigs: Rig[] = [];
const open = async (options: Parameters<typeof Rig.open>[0] = {}): Promise<Rig> => {
	const rig = await Rig.open(options);
	rigs.push(rig);
	return rig;
};
afterEach(async () => {
	for (const rig of rigs.splice(0)) await rig.close();
});

describe("a bucket", () => {
	test("lets a burst through, then as much as comes back", () => {
		const bucket = new Bucket(10, 5, 0);
		expect([1, 2, 3, 4, 5, 6].map(() => bucket.take(0))).toEqual([true, true, true, true, true, false]);
		expect([bucket.take(99), bucket.take(100), bucket.take(100)]).toEqual([false, true, false]);
	});
	test("what was taken beyond it is waited off, to the millisecond", () => {
		const bucket = new Bucket(1_000, 100, 0);
		expect(bucket.spend(100, 0)).toBe(0);
		expect(bucket.spend(250, 0)).toBe(250);
		expect(bucket.spend(0, 249)).toBe(1);
		expect(bucket.spend(0, 250)).toBe(0);
	});
	test("never holds more than its burst, and a clock that goes back gives nothing", () => {
		const bucket = new Bucket(1, 3, 1_000);
		expect([1, 2, 3, 4].map(() => bucket.take(1_000_000))).toEqual([true, true, true, false]);
		expect(bucket.take(0)).toBe(false);
		expect(bucket.take(500)).toBe(false);
	});
	test("ten thousand names of others' choosing are not kept", () => {
		const buckets = new Buckets(1, 1);
		const kept = buckets.of("first", 0);
		kept.take(0);
		for (let name = 0; name < 10_000; name += 1) buckets.of(`n${name}`, 0);
		expect(buckets.of("first", 0)).toBe(kept);
		for (let name = 0; name < 10_000; name += 1) buckets.of(`m${name}`, 0).take(0);
		expect(buckets.of("first", 0)).not.toBe(kept);
	});
});

describe("HARM-11: the crowd", () => {
	const guest = (name: string): { readonly name: string } => ({ name });
	const limits = { ...LIMITS, connectionsMax: 4, connectionsPerAddressMax: 3, connectionsPerNodeMax: 2, halfOpenMax: 2 };

	test("who stands in the door longest without a name makes room", () => {
		const crowd = new Crowd<object>(limits);
		const [a, b, c] = [guest("a"), guest("b"), guest("c")];
		expect(crowd.arrives(a, "x")).toEqual({ kind: "in" });
		expect(crowd.arrives(b, "x")).toEqual({ kind: "in" });
		expect(crowd.arrives(c, "y")).toEqual({ kind: "in", makeRoom: a });
	});
	test("one address never takes the places of others, and one node not those of others", () => {
		const crowd = new Crowd<object>(limits);
		const here = [1, 2, 3].map((number) => {
			const one = guest(String(number));
			expect(crowd.arrives(one, "x").kind).toBe("in");
			expect(crowd.isNamed(one, `pi-${number}`, `pi-${number}`, false, 0)).toBeUndefined();
			return one;
		});
		expect(crowd.arrives(guest("4"), "x")).toMatchObject({
			kind: "refused",
			fault: { code: "CONNECTIONS_MAX", facts: { what: "x", limit: "connectionsPerAddressMax" } },
		});
		const other = guest("5");
		expect(crowd.arrives(other, "y").kind).toBe("in");
		expect(crowd.isNamed(other, "pi-1", "pi-1.a", false, 0)).toBeUndefined();
		expect(crowd.arrives(guest("6"), "z")).toMatchObject({ kind: "refused", fault: { facts: { what: "the broker", limit: "connectionsMax" } } });
		crowd.leaves(here[1] ?? other);
		const third = guest("7");
		expect(crowd.arrives(third, "z").kind).toBe("in");
		expect(crowd.isNamed(third, "pi-1", "pi-1.b", false, 0)).toMatchObject({
			code: "CONNECTIONS_MAX",
			facts: { what: "pi-1", limit: "connectionsPerNodeMax" },
		});
	});
	test("who leaves twice leaves once", () => {
		const crowd = new Crowd<object>({ ...limits, connectionsPerAddressMax: 1 });
		const [a, b] = [guest("a"), guest("b")];
		crowd.arrives(a, "x");
		crowd.leaves(a);
		crowd.leaves(a);
		crowd.arrives(b, "x");
		crowd.isNamed(b, "pi-1", "pi-1", false, 0);
		expect(crowd.arrives(guest("c"), "x").kind).toBe("refused");
	});
	test("HARM-12: a client id that changes hands again and again stays with who has it", () => {
		const crowd = new Crowd<object>({ ...LIMITS });
		const named = (nowMs: number) => {
			const one = guest("x");
			crowd.arrives(one, "x");
			return crowd.isNamed(one, "pi-3", "pi-3", true, nowMs)?.code;
		};
		expect([1, 2, 3, 4, 5, 6, 7].map(() => named(0))).toEqual([
			undefined,
			undefined,
			undefined,
			undefined,
			undefined,
			"CLIENT_ID_CONTESTED",
			"CLIENT_ID_CONTESTED",
		]);
		expect([named(9_999), named(10_000), named(10_000)]).toEqual(["CLIENT_ID_CONTESTED", undefined, "CLIENT_ID_CONTESTED"]);
	});
});

test("HARM-13: who guesses passwords waits between two, others do not, and it passes", () => {
	const guesses = new Guesses();
	for (let count = 0; count < 10; count += 1) {
		expect(guesses.mayTry("a pi-3", 0)).toBe(true);
		guesses.wasWrong("a pi-3", 0);
	}
	expect([guesses.mayTry("a pi-3", 0), guesses.mayTry("b pi-3", 0), guesses.mayTry("a pi-4", 0)]).toEqual([false, true, true]);
	expect([guesses.mayTry("a pi-3", 1_999), guesses.mayTry("a pi-3", 2_000)]).toEqual([false, true]);
	guesses.wasWrong("a pi-3", 2_000);
	expect([guesses.mayTry("a pi-3", 2_000), guesses.mayTry("a pi-3", 4_000)]).toEqual([false, true]);
});

describe("HARM-14: the throttle", () => {
	const data = { node: "pi-3", kind: "node", clientId: "pi-3" } as const;
	const limits = { ...LIMITS, packetsPerSecondMax: 100, bytesPerSecondMax: 100_000 };

	test("all connections of a node share its measure, the safety connection has its own, other nodes theirs", () => {
		const throttle = new Throttle(limits);
		expect(throttle.read(data, 100, 10, 0)).toEqual({ waitMs: 0 });
		expect(throttle.read({ ...data, kind: "client", clientId: "pi-3.backup" }, 10, 10, 0)).toEqual({ waitMs: 100 });
		expect(throttle.read({ ...data, kind: "safety", clientId: "pi-3.safety" }, 1, 10, 0)).toEqual({ waitMs: 0 });
		expect(throttle.read({ ...data, node: "pi-4", clientId: "pi-4" }, 1, 10, 0)).toEqual({ waitMs: 0 });
	});
	test("it is told when it lasts, once a minute, with what to do", () => {
		const throttle = new Throttle(limits);
		const told: (string | undefined)[] = [];
		for (let second = 0; second <= 60; second += 1) {
			const { fault } = throttle.read(data, 1, 500_000, second * 1_000);
			if (fault !== undefined) told.push(sayFault(fault));
		}
		expect(told).toHaveLength(2);
		expect(told[0]).toBe(
			"pi-3 sends more than 100000 (bytesPerSecondMax); it is read more slowly, and nothing of it is lost. Look what it sends, or raise mqtt.limits.bytesPerSecondMax in orion.yaml.",
		);
	});
});

describe("at the door", () => {
	test("HARM-11: hundreds who never say who they are keep nobody out", async () => {
		const rig = await open({ limits: { halfOpenMax: 8, connectionsMax: 32 }, connectTimeoutMs: 60_000 });
		const silent = await Promise.all(Array.from({ length: 100 }, () => rig.raw()));
		for (const raw of silent.slice(-8)) raw.send(connectPacket("pi-9").subarray(0, 5));
		const node = await rig.connected("pi-3");
		await until("the oldest are gone", () => silent.filter(({ closed }) => closed).length >= 92);
		expect(node.connected).toBe(true);
	});
	test("HARM-11: a node with too many connections hears so, and the operator what to do", async () => {
		const rig = await open({ limits: { connectionsPerNodeMax: 2 } });
		await rig.rawConnected("pi-3");
		await rig.rawConnected("pi-3.safety");
		const raw = await rig.raw();
		raw.send(connectPacket("pi-3.backup", 5));
		expect(await raw.packet("connack")).toMatchObject({ reasonCode: 0x97, properties: { reasonString: expect.stringMatching(/pi-3 has 2 connections/) } });
		await raw.ended();
		expect(rig.refusals.map(({ fault }) => sayFault(fault))).toEqual([
			"pi-3 has 2 connections; at most 2 are allowed. Look who does not close his own, or raise mqtt.limits.connectionsPerNodeMax in orion.yaml.",
		]);
		await rig.rawConnected("pi-4");
	});
	test("HARM-13: a storm of guesses costs a few checks; who is known comes in all the same", async () => {
		let checks = 0;
		const right = (password: Uint8Array): boolean => Buffer.from(password).toString() === PASSWORD;
		const rig = await open({
			credentials: {
				check: (_username, password) => {
					checks += 1;
					return Promise.resolve(right(password));
				},
				remembers: (_username, password) => right(password),
			},
			now: () => 0,
		});
		const codes: (number | undefined)[] = [];
		for (let count = 0; count < 30; count += 1) {
			const raw = await rig.raw();
			raw.send(connectPacket("pi-3", 5, { password: Buffer.from(`guess ${count}`) }));
			codes.push((await raw.packet("connack")).reasonCode);
		}
		expect(codes).toEqual([...Array.from({ length: 10 }, () => 0x86), ...Array.from({ length: 20 }, () => 0x88)]);
		expect(checks).toBe(10);
		expect(rig.refusals.at(-1)?.fault.code).toBe("PASSWORDS_WRONG");
		const known = await rig.raw();
		known.send(connectPacket("pi-3"));
		expect((await known.packet("connack")).returnCode).toBe(0);
	});
	test("HARM-12: two devices with one client id: after a few turns one of them stays, and the operator is told", async () => {
		const rig = await open();
		const turns = Array.from({ length: 6 });
		for (const _turn of turns) await rig.rawConnected("pi-3");
		const last = await rig.raw();
		last.send(connectPacket("pi-3", 5));
		expect((await last.packet("connack")).reasonCode).toBe(0x9f);
		await last.ended();
		expect(rig.broker.connections().map(({ identity }) => identity.clientId)).toEqual(["pi-3"]);
		expect(rig.refusals.map(({ fault }) => fault.code)).toEqual(["CLIENT_ID_CONTESTED"]);
	});
	test("HARM-14: a flood is read more slowly and nothing of it is lost; an order to stop of the same node does not wait, and others neither", async () => {
		const rig = await open({ limits: { packetsPerSecondMax: 20 } });
		const flood = await rig.rawConnected("pi-3");
		const safety = await rig.rawConnected("pi-3.safety");
		const other = await rig.connected("pi-4");
		const heard = hear(other);
		await subscribed(other, "orion/v1/all/stop");
		const flooded = 100;
		flood.send(
			Buffer.concat(
				Array.from({ length: flooded }, (_none, index) =>
					publishBytes("orion/v1/pi-3/evt/x", JSON.stringify(numbered("pi-3", index + 1)), 4, { messageId: index + 1 }),
				),
			),
		);
		await until("the operator is told", () => rig.refusals.length === 1);
		flood.send(PING);
		safety.send(publishBytes("orion/v1/all/stop", "{}"));
		await until("the stop arrives", () => heard.length === 1);
		// The flood's own question is still unread while others have their answers.
		expect(flood.packets.filter(({ cmd }) => cmd === "pingresp")).toEqual([]);
		await until("it is read again", () => flood.packets.some(({ cmd }) => cmd === "pingresp"), 20_000);
		expect(rig.intake.stored).toHaveLength(flooded);
		expect(rig.refusals.map(({ fault }) => [fault.code, fault.facts["limit"]])).toEqual([["THROTTLED", "packetsPerSecondMax"]]);
	});
	test("HARM-15: one packet id for three messages: each is judged and kept, each is answered", async () => {
		const rig = await open();
		const raw = await rig.rawConnected("pi-3");
		rig.intake.hold("held");
		for (const seq of [1, 2, 3]) raw.send(publishBytes("orion/v1/pi-3/evt/x", JSON.stringify(numbered("pi-3", seq)), 4, { messageId: 7 }));
		await until("one waits", () => rig.intake.waiting > 0);
		rig.intake.hold("open");
		await raw.packet("puback", 3);
		expect(rig.intake.stored.map(({ envelope }) => envelope.seq)).toEqual([1, 2, 3]);
	});
	test.each(["$share/g/orion/v1/pi-3/cmd/+", "$SYS/#", "#", "+/+/+/+/+", "orion/v1/+/cmd/+", "orion/v1/pi-3/#"])("HARM-15: nobody gets %s", async (filter) => {
		const rig = await open();
		const node = await rig.connected("pi-3", { protocolVersion: 5 });
		expect((await subscribed(node, filter)).map((code) => code >= 128)).toEqual([true]);
	});
});
