// Shows that a real mesh under a storm of hostile packets goes on, grows within bounds, keeps nothing forged and serves an honest node beside it (HARM-16).

import { readFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { connect } from "mqtt";
import { TestMesh, until } from "../support/mesh.ts";
import { seeded } from "../support/random.ts";
import { hostileConnect, hostilePacket, type Version } from "./packets.ts";

export interface FuzzCounts {
	readonly packets: number;
	readonly sessions: number;
	/** Sessions that were answered beyond their welcome: noise that is refused at the door proves little. */
	readonly deepSessions: number;
	/** 1 if the process that ran at the end is another one, or none. */
	readonly crashes: number;
	readonly honestAcknowledged: number;
	readonly honestMissing: number;
	readonly honestTwice: number;
	/** The honest node lost its connection. */
	readonly honestDropped: number;
	readonly honestP99Ms: number;
	/** Records in another's name. */
	readonly forged: number;
	readonly records: number;
	readonly rssBeforeMb: number;
	readonly rssGrowthMb: number;
	/** From the half of the packets on. */
	readonly rssSecondHalfMb: number;
}

const SESSIONS_AT_ONCE = 8;
const PACKETS_PER_SESSION_MAX = 40;
/** Short-lived objects alone may take 144 MB of it (`--max-semi-space-size=48`). */
const RSS_GROWTH_MB_MAX = 384;
/** What a second half as long as the first may add: a leak would add as much again. */
const RSS_SECOND_HALF_MB_MAX = 96;
/** Part of a CONNECT that is waited for: the broker gives up on it later than this. */
const SESSION_WITHIN_MS = 1_000;
/** A CONNACK of version 5 with its properties. */
const WELCOME_BYTES_MAX = 40;

const rssMb = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024;

interface Credential {
	readonly username: string;
	readonly password: string;
}
const added = (mesh: TestMesh, node: string): Promise<Credential> => mesh.ask<Credential>("/nodes", { method: "POST", body: JSON.stringify({ node }) });

interface Honest {
	readonly acknowledged: Set<string>;
	readonly tookMs: number[];
	dropped: number;
	stop(): Promise<void>;
}

/** One message after the other, as a node of the mesh would. */
const startHonest = async (mesh: TestMesh): Promise<Honest> => {
	const credential = await added(mesh, "honest");
	const client = connect(`mqtt://127.0.0.1:${mesh.mqttPort}`, { clientId: "honest.load", ...credential, protocolVersion: 4, reconnectPeriod: 50 });
	await new Promise<void>((resolve, reject) => {
		client.once("connect", () => resolve());
		client.once("error", reject);
	});
	client.on("error", () => undefined);
	const honest: Honest = {
		acknowledged: new Set(),
		tookMs: [],
		dropped: 0,
		stop: async () => {
			running = false;
			await until("the last message is acknowledged", () => (waiting ? undefined : true));
			await client.endAsync();
		},
	};
	client.on("close", () => {
		if (running) honest.dropped += 1;
	});
	let running = true;
	let waiting = false;
	let number = 0;
	const one = (): void => {
		if (!running) return;
		number += 1;
		waiting = true;
		const id = `honest-${number}`;
		const beganMs = performance.now();
		const data = { name: `honest-${number % 20}`, severity: "info", summary: `message ${number}` };
		const message = { specversion: "1.0", id, source: "/nodes/honest", type: "dev.orion.alert.firing.v1", data };
		client.publish("orion/v1/honest/evt/alert", JSON.stringify(message), { qos: 1 }, (error) => {
			waiting = false;
			if (!error) {
				honest.acknowledged.add(id);
				honest.tookMs.push(performance.now() - beganMs);
			}
			setTimeout(one, 2);
		});
	};
	one();
	return honest;
};

/** Begins, sends the rest in one go when it is welcome (or at once if it began with nothing), and waits for the end. */
const session = (port: number, beginning: Buffer, rest: Buffer): Promise<"deep" | "refused"> =>
	new Promise((resolve) => {
		const socket = connectSocket({ port, host: "127.0.0.1" });
		const late = setTimeout(() => socket.destroy(), SESSION_WITHIN_MS);
		let answeredBytes = 0;
		socket.on("data", (chunk) => {
			if (answeredBytes === 0) socket.end(rest);
			answeredBytes += chunk.length;
		});
		socket.on("error", () => undefined);
		socket.on("close", () => {
			clearTimeout(late);
			resolve(answeredBytes > WELCOME_BYTES_MAX ? "deep" : "refused");
		});
		socket.on("connect", () => (beginning.length === 0 ? socket.end(rest) : socket.write(beginning)));
	});

const verdict = async (mesh: TestMesh, { acknowledged }: Honest) => {
	const seen = new Map<string, number>();
	let forged = 0;
	let records = 0;
	for (const { envelope } of await mesh.records()) {
		records += 1;
		if (envelope.source.startsWith("/nodes/honest")) {
			seen.set(envelope.id, (seen.get(envelope.id) ?? 0) + 1);
			if (!envelope.id.startsWith("honest-")) forged += 1;
		}
		if (envelope.source.startsWith("/core") && envelope.id.startsWith("fuzz-")) forged += 1;
	}
	return {
		forged,
		records,
		honestMissing: [...acknowledged].filter((id) => !seen.has(id)).length,
		honestTwice: [...seen.values()].filter((count) => count > 1).length,
	};
};

export const runFuzz = async (options: { readonly packets: number; readonly seed: number; readonly say: (line: string) => void }): Promise<FuzzCounts> => {
	const random = seeded(options.seed);
	const mesh = await TestMesh.make("node: host\n");
	try {
		await mesh.start();
		const { password } = await added(mesh, "fuzz");
		const honest = await startHonest(mesh);
		await until("the honest node is under way", () => (honest.acknowledged.size > 20 ? true : undefined));
		const pid = mesh.pid ?? 0;
		const rssBeforeMb = rssMb(pid);
		let packets = 0;
		let sessions = 0;
		let deepSessions = 0;
		let rssHalfMb: number | undefined;
		let saidMs = performance.now();
		const work = async (): Promise<void> => {
			while (packets < options.packets) {
				sessions += 1;
				const version: Version = random() < 0.5 ? 4 : 5;
				const count = Math.min(1 + Math.floor(random() * PACKETS_PER_SESSION_MAX), options.packets - packets);
				packets += count;
				const begins = random() < 0.95 ? hostileConnect(random, version, `fuzz.${sessions % 40}`, password) : Buffer.alloc(0);
				const how = await session(mesh.mqttPort, begins, Buffer.concat(Array.from({ length: count }, () => hostilePacket(random, version))));
				if (rssHalfMb === undefined && packets > options.packets / 2) rssHalfMb = rssMb(pid);
				if (how === "deep") deepSessions += 1;
				if (performance.now() - saidMs < 2_000) continue;
				saidMs = performance.now();
				options.say(
					`${packets} of ${options.packets} packets in ${sessions} sessions; honest: ${honest.acknowledged.size} acknowledged, ${honest.dropped} times dropped; ${Math.round(rssMb(pid))} MB`,
				);
			}
		};
		await Promise.all(Array.from({ length: SESSIONS_AT_ONCE }, work));
		const before = honest.acknowledged.size;
		await until("the honest node goes on", () => (honest.acknowledged.size > before + 20 ? true : undefined));
		await honest.stop();
		const crashes =
			mesh.pid === pid &&
			(await mesh.ask<object>("/state/status").then(
				() => true,
				() => false,
			))
				? 0
				: 1;
		const rssGrowthMb = rssMb(pid) - rssBeforeMb;
		const found = await verdict(mesh, honest);
		const sorted = honest.tookMs.sort((a, b) => a - b);
		return {
			packets,
			sessions,
			deepSessions,
			crashes,
			honestAcknowledged: honest.acknowledged.size,
			honestDropped: honest.dropped,
			honestP99Ms: Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN),
			...found,
			rssBeforeMb: Math.round(rssBeforeMb),
			rssGrowthMb: Math.round(rssGrowthMb),
			rssSecondHalfMb: Math.round(rssMb(pid) - (rssHalfMb ?? rssBeforeMb)),
		};
	} finally {
		await mesh.remove();
	}
};

export const isUnharmed = (counts: FuzzCounts): boolean =>
	counts.crashes === 0 &&
	counts.deepSessions > 0 &&
	counts.honestAcknowledged > 0 &&
	counts.honestMissing === 0 &&
	counts.honestTwice === 0 &&
	counts.honestDropped === 0 &&
	counts.forged === 0 &&
	counts.rssGrowthMb < RSS_GROWTH_MB_MAX &&
	counts.rssSecondHalfMb < RSS_SECOND_HALF_MB_MAX;
