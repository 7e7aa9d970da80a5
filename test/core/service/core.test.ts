// Shows core as it is composed: an order to stop leaves at once while a policy is read or taken over, and what pulses do not say becomes presence (HARM-45, HARM-100).
import { expect, test } from "vitest";
import { fail } from "../../../contracts/errors.ts";
import type { Result } from "../../../contracts/result.ts";
import { type Core, openCore } from "../../../core/service/core.ts";
import type { LoadedPolicy } from "../../../core/service/policies.ts";
import { messageOf } from "../../support/core.ts";
import { VirtualDisk } from "../../support/disk.ts";
import { limitsWith, MESH, SESSION, shippedPolicy } from "../../support/engine.ts";
import { VirtualHost } from "../../support/world.ts";

const opened = async (readPolicy: () => Promise<Result<LoadedPolicy>>) => {
	const host = new VirtualHost();
	const disk = new VirtualDisk({ now: () => host.time.nowMs });
	const world = host.process();
	const log = disk.open();
	const said: string[] = [];
	const core: Core = await openCore({
		log,
		audit: fail("LOG_CLOSED"),
		mesh: MESH,
		code: "0.1.0",
		commit: "0123456789ab",
		data: "data",
		host: "host",
		instance: "i",
		policy: shippedPolicy(),
		readPolicy,
		register: {
			nodes: () => [],
			add: () => Promise.resolve(fail("LOG_CLOSED")),
			remove: () => Promise.resolve(fail("LOG_CLOSED")),
			revoke: () => Promise.resolve(fail("LOG_CLOSED")),
		},
		world,
		losses: [],
	});
	await core.connect(
		{
			publish: (topic) => {
				said.push(topic);
				return Promise.resolve();
			},
			deliver: () => Promise.resolve("nobody"),
			drop: () => Promise.resolve(),
			judge: () => fail("LOG_CLOSED"),
			connected: () => true,
		},
		{ mqtt: "", http: () => "" },
	);
	let tick = 0;
	const pulse = (node: string): void => {
		tick += 1;
		const envelope = { ...messageOf(node, "node.pulse", { session: SESSION, tick, safety: "working" }) };
		core.intake.live({ identity: { node, clientId: `${node}.safety` }, topic: "test", envelope, bytes: new Uint8Array() });
	};
	const orders = () => said.filter((topic) => /(stop|cut)$/.test(topic));
	return { host, log, core, pulse, orders };
};

test("HARM-45 while a policy is read, and while it is taken over on a disk that is stuck, orders leave at once", async () => {
	let give: (loaded: Result<LoadedPolicy>) => void = () => undefined;
	const { host, log, core, orders } = await opened(
		() =>
			new Promise((resolve) => {
				give = resolve;
			}),
	);
	const reloading = core.desk.reloadPolicy("anna");
	const first = core.desk.stop("stop", "all", "anna", "cli");
	expect(orders()).toEqual(["orion/v1/all/stop"]);
	const append = log.append.bind(log);
	let release: () => void = () => undefined;
	const stuck = new Promise<void>((resolve) => {
		release = resolve;
	});
	log.append = async (entries) => {
		await stuck;
		return append(entries);
	};
	give({ ok: true, value: limitsWith({ askTimesMax: 9 }) });
	await host.time.advance(10);
	const second = core.desk.stop("cut", "all", "anna", "cli");
	expect(orders()).toEqual(["orion/v1/all/stop", "orion/v1/all/cut"]);
	release();
	await host.time.advance(5_000);
	expect(await reloading).toMatchObject({ ok: true, value: { changed: true } });
	expect([(await first).verb, (await second).verb]).toEqual(["stop", "cut"]);
	const closing = core.close();
	await host.time.advance(1_000);
	await closing;
});

test("HARM-100 a node whose pulses stop is suspect, then lost, and ready again with its next pulses", async () => {
	const { host, core, pulse } = await opened(() => Promise.resolve(fail("LOG_CLOSED")));
	const envelope = messageOf("pi-1", "node.state", { state: "ready", session: SESSION, conn: 1 }, 1, SESSION, "safety");
	await core.intake.accept({
		identity: { node: "pi-1", clientId: "pi-1.safety" },
		topic: "test",
		envelope,
		bytes: new TextEncoder().encode(JSON.stringify(envelope)),
	});
	const found = () => core.desk.state().nodes["pi-1"]?.silence?.found ?? "none";
	const seconds = async (count: number, speaks: boolean): Promise<string> => {
		for (let second = 0; second < count; second += 1) {
			if (speaks) pulse("pi-1");
			await host.time.advance(1_000);
		}
		return found();
	};
	expect(await seconds(10, true)).toBe("none");
	expect(await seconds(4, false)).toBe("suspect");
	expect(await seconds(4, false)).toBe("lost");
	expect(await seconds(2, true)).toBe("none");
	const closing = core.close();
	await host.time.advance(1_000);
	await closing;
});
