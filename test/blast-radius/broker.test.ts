// Shows what a stolen broker can do to a node: drop and delay, but forge no command, beacon, allowance or lease (HARM-113).
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Agent } from "../../agents/roles/agent.ts";
import { CORE_TOPICS, nodeTopic } from "../../contracts/topics.ts";
import { Mesh, NodeFolder, startNode, until } from "../agents/mesh.ts";
import { beaconOf, Signer } from "../edge/world.ts";

let mesh: Mesh;
let agent: Agent | undefined;
beforeEach(async () => {
	mesh = await new Mesh().open();
});
afterEach(async () => {
	await agent?.stop("agent-leave");
	agent = undefined;
	await mesh.close();
});

test("HARM-113: what core did not sign has no effect at a node, whoever holds the broker", async () => {
	const started = await startNode(mesh, new NodeFolder());
	agent = started.agent;
	mesh.speak();
	await until("ready", () => started.notes.of("ready")[0]);
	const forger = new Signer();
	const good = mesh.command({ command: "act-good", notAfterMs: 60_000 });
	const signed = mesh.signer.command(good);
	const [head = "", body = "", mark = ""] = Buffer.from(signed).toString().split(".");
	const other = Buffer.from(JSON.stringify({ ...good, args: { service: "db" } })).toString("base64url");
	const forged: readonly (readonly [string, Uint8Array])[] = [
		["signed by another key", forger.command({ ...good, command: "act-1" })],
		[
			"by another key under the name of core's",
			forger.sign("orion-command+jws", { ...good, command: "act-2" }, { alg: "EdDSA", kid: mesh.signer.keyId, typ: "orion-command+jws" }),
		],
		["not signed at all", Buffer.from(JSON.stringify(good))],
		["with no algorithm", Buffer.from(`${Buffer.from('{"alg":"none"}').toString("base64url")}.${body}.`)],
		["another content under core's signature", Buffer.from(`${head}.${other}.${mark}`)],
		["a beacon of core instead of a command", mesh.signer.beacon(beaconOf(mesh.signer))],
	];
	for (const [, bytes] of forged) expect(await mesh.broker.deliver("pi-1", nodeTopic("pi-1", "cmd", "process.restart"), bytes)).toBe("delivered");
	const bundle = forger.sign("orion-bundle+jws", { anything: "goes" });
	await mesh.broker.publish(CORE_TOPICS.policy, bundle, { qos: 1, retain: true });
	await mesh.broker.publish(CORE_TOPICS.beacon, forger.beacon(beaconOf(forger, { counter: 9_000, coreTerm: { counter: 9_000, keyId: forger.keyId } })), {
		qos: 0,
		retain: false,
	});
	// The one that core did sign comes last on the same connection: all before it were looked at.
	await mesh.broker.deliver("pi-1", nodeTopic("pi-1", "cmd", "process.restart"), signed);
	await until("the good one", () => started.counting.ran.includes("act-good"));
	expect(started.counting.ran).toEqual(["act-good"]);
	await until("the bundle is refused", () => started.notes.of("bundle-refused")[0]);
	await until("the beacon is ignored", () => started.notes.of("beacon-ignored")[0]);
	await until("every refusal is said", () => mesh.of("dev.orion.action.receipt.v1").filter(({ data }) => data.phase === "refused").length === forged.length);
	// And the good one again, as often as it likes, is the same one.
	await mesh.broker.deliver("pi-1", nodeTopic("pi-1", "cmd", "process.restart"), signed);
	await until("its last receipt", () => mesh.of("dev.orion.action.receipt.v1").find(({ data }) => data.repeat === true));
	expect(started.counting.ran).toEqual(["act-good"]);
});
