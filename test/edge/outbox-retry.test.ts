// Shows that messages which fail while the link stands are each tried once a pause, however many they are and however long it goes on (LOSS-40).
import { expect, test } from "vitest";
import { Outbox } from "../../edge/outbox.ts";
import type { Connection } from "../../edge/ports.ts";
import { Voice } from "../../edge/voice.ts";
import { Disk, noSweep, VirtualTime } from "./world.ts";

const MESSAGES = 5;
const PAUSE_MS = 500;

test("LOSS-40 five that are refused are five tries a pause, not five times five", async () => {
	const time = new VirtualTime();
	const session = { id: "1.00000000000000aa", counter: 1, tick: () => 7 };
	const voice = new Voice({ mesh: "mesh-1", node: "pi-1", clock: time.clock(), session: () => session });
	const outbox = await Outbox.open({ log: new Disk().log(), voice, node: "pi-1", timers: time, note: () => undefined, bytesMax: 1_000_000, sweep: noSweep });
	let refuses = true;
	let tries = 0;
	const line: Connection = {
		publish: () => {
			tries += 1;
			return refuses ? Promise.reject(new Error("not now")) : Promise.resolve();
		},
		subscribe: () => Promise.resolve(),
		close: () => Promise.resolve(),
		destroy: () => undefined,
	};
	for (let pid = 1; pid <= MESSAGES; pid += 1) await outbox.emit("dev.orion.process.up.v1", { service: "web", pid, startTicks: 1, how: "started", starts: 1 });
	outbox.linkUp(line);
	await time.settle();
	for (let pauses = 1; pauses <= 5; pauses += 1) {
		expect(tries).toBe(MESSAGES * pauses);
		await time.advance(PAUSE_MS);
	}
	refuses = false;
	await time.advance(PAUSE_MS);
	expect(outbox.waiting).toBe(0);
});
