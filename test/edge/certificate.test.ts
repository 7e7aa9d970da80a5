// Shows what a node makes of what core says of its certificate: when it is restricted, when it asks for a new one, and that it knows both after a restart (HARM-110, HARM-111).
import { describe, expect, test } from "vitest";
import { OrionError } from "../../contracts/errors.ts";
import { type ClockQuality, wallTime } from "../../contracts/time.ts";
import { CertificateWatch, type HeldCertificate } from "../../edge/certificate-watch.ts";
import {
	asksForCertificate,
	type CertificateNews,
	type CertificateWord,
	hearCertificate,
	isRestricted,
	RENEW_BEFORE_MS,
} from "../../edge/machines/certificate.ts";
import type { Connect, ConnectOptions } from "../../edge/ports.ts";
import { MemoryFiles, Notes, VirtualTime } from "./world.ts";

const WORDS: readonly CertificateWord[] = ["unheard", "accepted", "expired", "revoked"];
const NEWS: readonly CertificateNews[] = ["accepted", "refused", "revoked", "renewed"];
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe("HARM-111: the whole table", () => {
	const becomes: Readonly<Record<CertificateNews, readonly [CertificateWord, CertificateWord, CertificateWord, CertificateWord]>> = {
		accepted: ["accepted", "accepted", "accepted", "accepted"],
		// The broker does not say why: who knows that it was taken back goes on knowing it.
		refused: ["expired", "expired", "expired", "revoked"],
		revoked: ["revoked", "revoked", "revoked", "revoked"],
		renewed: ["unheard", "unheard", "unheard", "unheard"],
	};
	test.each(NEWS.flatMap((news) => WORDS.map((word, index) => [word, news, becomes[news][index]] as const)))("%s, %s: %s", (word, news, after) => {
		expect(hearCertificate(word, news)).toBe(after);
	});

	test("restricted is what core no longer takes, and nothing else", () => {
		expect(WORDS.filter(isRestricted)).toEqual(["expired", "revoked"]);
	});
});

describe("HARM-110: when it asks for a new one", () => {
	const asked = [undefined, 0, 59_999, 60_000, 6 * HOUR_MS - 1, 6 * HOUR_MS];
	const left = [-DAY_MS, 0, RENEW_BEFORE_MS - 1, RENEW_BEFORE_MS, 700 * DAY_MS];
	test("every case: never once it was taken back; at once and each minute when it is over; else in the last 60 days, by a clock that was set", () => {
		let asks = 0;
		for (const word of WORDS)
			for (const clockKnown of [true, false])
				for (const leftMs of left)
					for (const sinceAskedMs of asked) {
						const expected =
							word === "expired"
								? sinceAskedMs === undefined || sinceAskedMs >= 60_000
								: word !== "revoked" && clockKnown && leftMs < 60 * DAY_MS && (sinceAskedMs === undefined || sinceAskedMs >= 6 * HOUR_MS);
						const view = { leftMs, clockKnown, ...(sinceAskedMs === undefined ? {} : { sinceAskedMs }) };
						expect([word, view, asksForCertificate(word, view)]).toEqual([word, view, expected]);
						asks += Number(expected);
					}
		expect(asks).toBeGreaterThan(40);
	});
});

/** A node whose broker and core answer as the test says. */
const watched = async (files = new MemoryFiles(), held: HeldCertificate = { serial: "0A", notAfterWallMs: 1_700_000_000_000 + 365 * DAY_MS }) => {
	const time = new VirtualTime();
	const notes = new Notes();
	const world = {
		broker: "accepts" as "accepts" | "refuses",
		core: "away" as "away" | "revoked" | HeldCertificate,
		asked: 0,
		clock: "synced" as ClockQuality,
		wallMs: 0,
	};
	const connection = { publish: async () => undefined, subscribe: async () => undefined, close: async () => undefined, destroy: () => undefined };
	const connect: Connect = async () => {
		if (world.broker === "refuses") throw new OrionError("CERTIFICATE_REFUSED");
		return connection;
	};
	const watch = await CertificateWatch.open({
		node: "pi-1",
		held,
		files,
		clock: { ...time.clock(), wall: () => wallTime(1_700_000_000_000 + world.wallMs), quality: () => world.clock },
		timers: time,
		note: notes.note,
		renew: async () => {
			world.asked += 1;
			if (world.core === "away") throw new OrionError("JOIN_ADDRESS", { address: "a", detail: "b", advice: "c" });
			if (world.core === "revoked") throw new OrionError("CERTIFICATE_REVOKED", { node: "pi-1" });
			return world.core;
		},
	});
	let changes = 0;
	watch.onChange(() => {
		changes += 1;
	});
	const options = { keepaliveSeconds: 1, onMessage: () => undefined, onClosed: () => undefined };
	const come = (clientId = "pi-1"): Promise<unknown> =>
		watch
			.over(connect)({ ...options, clientId } satisfies ConnectOptions)
			.catch((error: unknown) => error);
	return { time, notes, world, watch, come, changes: () => changes, files };
};

describe("HARM-111: a node and its certificate", () => {
	test("over: it is restricted, asks, is renewed, and works again once core takes it", async () => {
		const { time, world, watch, come, changes } = await watched();
		watch.start();
		await come();
		expect([watch.word, world.asked, changes()]).toEqual(["accepted", 0, 0]);
		world.broker = "refuses";
		expect(await come()).toBeInstanceOf(OrionError);
		await time.settle();
		expect([watch.word, watch.isRestricted, world.asked, changes()]).toEqual(["expired", true, 1, 1]);
		await come();
		await time.settle();
		expect(world.asked).toBe(1);
		world.core = { serial: "0B", notAfterWallMs: 1_700_000_000_000 + 900 * DAY_MS };
		await time.advance(60_000);
		expect([watch.word, watch.isRestricted, world.asked, changes()]).toEqual(["unheard", false, 2, 2]);
		world.broker = "accepts";
		await come();
		expect(watch.word).toBe("accepted");
		await watch.stop();
	});

	test("taken back: it is told so once, asks no more, and knows it after a restart without core; a new certificate begins anew", async () => {
		const { time, world, watch, come, files } = await watched();
		watch.start();
		world.broker = "refuses";
		world.core = "revoked";
		await come();
		await time.settle();
		expect([watch.word, world.asked]).toEqual(["revoked", 1]);
		await time.advance(7 * HOUR_MS);
		await come();
		await time.settle();
		expect([watch.word, watch.isRestricted, world.asked]).toEqual(["revoked", true, 1]);
		await watch.stop();
		const again = await watched(files);
		expect([again.watch.word, again.watch.isRestricted]).toEqual(["revoked", true]);
		const joined = await watched(files, { serial: "0C", notAfterWallMs: 2_000_000_000_000 });
		expect(joined.watch.isRestricted).toBe(false);
		files.texts.set("certificate-word.json", "half a fi");
		expect((await watched(files)).watch.isRestricted).toBe(false);
	});

	test("its other connections say nothing of it, and its own clock restricts nothing, wherever it stands", async () => {
		const { time, world, watch, come } = await watched();
		watch.start();
		world.broker = "refuses";
		await come("pi-1.safety");
		expect(watch.word).toBe("unheard");
		world.wallMs = 4_000 * DAY_MS;
		await time.advance(60_000);
		expect([watch.isRestricted, world.asked]).toEqual([false, 1]);
		await watch.stop();
	});

	test("a clock that nobody set asks for nothing", async () => {
		const { time, world, watch } = await watched();
		world.clock = "unsynced";
		world.wallMs = 4_000 * DAY_MS;
		watch.start();
		await time.advance(60_000);
		expect(world.asked).toBe(0);
		await watch.stop();
	});
});
