// Shows a whole agent whose certificate core no longer takes: it says how it is and obeys a stop, and carries out nothing (HARM-111).
import { afterEach, expect, test } from "vitest";
import type { Agent } from "../../agents/roles/agent.ts";
import { nodeClock } from "../../agents/roles/node-clock.ts";
import { OrionError } from "../../contracts/errors.ts";
import { CertificateWatch } from "../../edge/certificate-watch.ts";
import { mqttConnect } from "../../edge/mqtt.ts";
import type { Connect } from "../../edge/ports.ts";
import { Notes, VirtualTime } from "../edge/world.ts";
import { Mesh, NodeFolder, PASSWORD, startNode, until } from "./mesh.ts";

let mesh: Mesh;
let agent: Agent | undefined;

afterEach(async () => {
	await agent?.stop("agent-leave");
	agent = undefined;
	await mesh.close();
});

test("HARM-111: restricted, it is heard and can be stopped, and no command reaches an effect; taken again, it works", async () => {
	mesh = await new Mesh().open();
	const folder = new NodeFolder();
	const door = { takesData: false };
	const broker = mqttConnect({ url: mesh.url, username: "pi-1", password: PASSWORD });
	const connect: Connect = (options) =>
		options.clientId === "pi-1" && !door.takesData ? Promise.reject(new OrionError("CERTIFICATE_REFUSED")) : broker(options);
	const certificate = await CertificateWatch.open({
		node: "pi-1",
		held: { serial: "0A", notAfterWallMs: 0 },
		files: folder.files,
		clock: nodeClock(),
		timers: new VirtualTime(),
		note: new Notes().note,
		renew: () => Promise.reject(new OrionError("JOIN_ADDRESS", { address: "core", detail: "away", advice: "none" })),
	});
	const started = await startNode(mesh, folder, { connect: certificate.over(connect), certificate });
	agent = started.agent;
	mesh.speak();
	await until("it says that it is restricted", () => mesh.pulse()?.safety === "restricted");
	expect(mesh.broker.connections().map(({ identity }) => identity.clientId)).toEqual(["pi-1.safety"]);
	expect(await mesh.send(mesh.command())).toBe("nobody");
	// A stop reaches it all the same, and counts before what its certificate is.
	await mesh.broker.publish("orion/v1/pi-1/stop", Buffer.from(JSON.stringify({ v: 1, order: "00112233445566aa", by: "lars", via: "test" })), {
		qos: 1,
		retain: false,
	});
	await until("it is stopped", () => mesh.pulse()?.safety === "stopped");
	expect(started.counting.ran).toEqual([]);
	await until("what it is, is kept", () => folder.files.texts.get("certificate-word.json")?.includes('"expired"'));
	door.takesData = true;
	await until("it is let in", () => mesh.broker.connections().some(({ identity }) => identity.clientId === "pi-1"));
	await until("it says so", () => !certificate.isRestricted);
});
