// Shows that no fault of the network, no death, no clock and no restored card loses or doubles what a node accepted, and that its numbering is accounted for: LOSS-40, LOSS-41, LOSS-42.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openCoreLog } from "../../agents/roles/core-log.ts";
import { TestMesh, until } from "../support/mesh.ts";
import { FaultProxy } from "../support/proxy.ts";
import { seeded } from "../support/random.ts";
import { ChaosNode, NODE } from "./chaos-node.ts";

const FAULTS = ["cut", "away", "delay", "one-at-a-time", "doubled", "half-open", "one-way", "kill-node", "kill-mesh", "kill-both", "clock", "restore"] as const;
type FaultName = (typeof FAULTS)[number];

export interface NetworkCounts {
	readonly rounds: number;
	readonly faults: Readonly<Partial<Record<FaultName, number>>>;
	readonly accepted: number;
	readonly missing: number;
	readonly twice: number;
	readonly quarantined: number;
	/** Lanes of the node over all its sessions, and how many of them have a number that is neither received nor told as lost. */
	readonly lanes: number;
	readonly lanesOpen: number;
	readonly highest: number;
	readonly packetsDoubled: number;
	readonly packetsSwallowed: number;
	readonly cuts: number;
	readonly drainedWithinMsMax: number;
}

const YEAR_MS = 365 * 86_400_000;
const DRAINED_WITHIN_MS = 60_000;

interface Round {
	readonly mesh: TestMesh;
	readonly node: ChaosNode;
	readonly proxy: FaultProxy;
	readonly random: () => number;
	/** Until everything that was accepted is in core's log. */
	readonly drained: () => Promise<void>;
}

const lasts = (random: () => number, minMs: number, maxMs: number): Promise<void> =>
	new Promise((resolve) => {
		setTimeout(resolve, minMs + random() * (maxMs - minMs));
	});

const restartMesh = async ({ mesh, random }: Round): Promise<void> => {
	await mesh.kill();
	await lasts(random, 0, 300);
	await mesh.start();
};
const restartNode = async ({ node, random }: Round): Promise<void> => {
	await node.kill();
	await lasts(random, 0, 200);
	await node.start();
};

const RUNS: Readonly<Record<FaultName, (round: Round) => Promise<void>>> = {
	cut: async ({ proxy, random }) => {
		for (let times = 1 + Math.floor(random() * 4); times > 0; times -= 1) {
			proxy.cut();
			await lasts(random, 0, 200);
		}
	},
	away: async ({ proxy, random }) => {
		proxy.away(true);
		await lasts(random, 200, 800);
		proxy.away(false);
	},
	delay: async ({ proxy, random }) => {
		proxy.weather({ delayMs: 20 + random() * 150 });
		await lasts(random, 300, 800);
		proxy.cut();
		proxy.weather({});
	},
	"one-at-a-time": async ({ proxy, random }) => {
		proxy.weather({ oneEveryMs: 200 }, "up");
		await lasts(random, 500, 1_000);
		proxy.cut();
		proxy.weather({});
	},
	doubled: async ({ proxy, random }) => {
		proxy.weather({ doubles: () => random() < 0.5 });
		await lasts(random, 300, 800);
		proxy.weather({});
	},
	"half-open": async ({ proxy, random }) => {
		proxy.silence();
		await lasts(random, 200, 800);
		proxy.cut();
	},
	"one-way": async ({ proxy, random }) => {
		proxy.silence(random() < 0.5 ? "up" : "down");
		await lasts(random, 200, 800);
		proxy.cut();
	},
	"kill-node": (round) => restartNode(round),
	"kill-mesh": (round) => restartMesh(round),
	"kill-both": async (round) => {
		await Promise.all([round.node.kill(), round.mesh.kill()]);
		await round.mesh.start();
		await round.node.start();
	},
	clock: async ({ node, random }) => {
		node.tell(`clock ${Math.floor((random() < 0.5 ? -1 : 1) * YEAR_MS)}`);
		await lasts(random, 200, 500);
		if (random() < 0.5) node.tell("clock 0");
	},
	restore: async (round) => {
		// What was accepted after the picture was taken and before core had it would be gone with the card: so core has it.
		await round.node.quiet();
		await round.drained();
		await round.node.kill();
		if (round.node.hasCopy) round.node.restoreCard();
		if (!round.node.hasCopy || round.random() < 0.3) round.node.copyCard();
		await round.node.start();
	},
};

/** Reads core's log as it grows: how often each summary of the node is in it. */
export class Reader {
	readonly seen = new Map<string, number>();
	quarantined = 0;
	#next = 1;
	readonly #mesh: TestMesh;

	constructor(mesh: TestMesh) {
		this.#mesh = mesh;
	}

	async read(): Promise<void> {
		for (const { position, envelope } of await this.#mesh.records(this.#next)) {
			this.#next = position + 1;
			if (envelope.type === "dev.orion.quarantine.entry.v1") this.quarantined += 1;
			if (envelope.type !== "dev.orion.alert.firing.v1" || envelope.source !== `/nodes/${NODE}`) continue;
			this.seen.set(envelope.data.summary, (this.seen.get(envelope.data.summary) ?? 0) + 1);
		}
	}
}

/** Ends the mesh, and reads what its log knows of the node's numbers. */
export const lanesOf = async (mesh: TestMesh) => {
	await mesh.stop();
	const { mesh: name } = JSON.parse(readFileSync(join(mesh.data, "mesh.json"), "utf8")) as { mesh: string };
	const log = await openCoreLog({
		data: mesh.data,
		mesh: name,
		acceptLoss: false,
		onFatal: (error) => {
			throw error;
		},
	});
	try {
		const lanes = log.lanes().filter(({ source }) => source === `/nodes/${NODE}`);
		return {
			lanes: lanes.length,
			lanesOpen: lanes.filter(({ contiguous, highest }) => contiguous !== highest).length,
			highest: lanes.reduce((sum, lane) => sum + lane.highest, 0),
		};
	} finally {
		await log.close();
	}
};

export const runNetworkRounds = async (options: {
	readonly rounds: number;
	readonly seed: number;
	readonly say: (line: string) => void;
}): Promise<NetworkCounts> => {
	const random = seeded(options.seed);
	const mesh = await TestMesh.make("node: host\n");
	const proxy = await FaultProxy.open(() => mesh.mqttPort);
	let node: ChaosNode | undefined;
	try {
		await mesh.start();
		node = await ChaosNode.make(mesh, proxy.port);
		const { accepted } = node;
		const reader = new Reader(mesh);
		let drainedWithinMsMax = 0;
		const drained = async (): Promise<void> => {
			const beganMs = performance.now();
			const waitedFor = [...accepted];
			await until(
				"everything that was accepted is in the log",
				async () => {
					await reader.read();
					return waitedFor.every((summary) => reader.seen.has(summary)) ? true : undefined;
				},
				DRAINED_WITHIN_MS,
			);
			drainedWithinMsMax = Math.max(drainedWithinMsMax, performance.now() - beganMs);
		};
		await node.start();
		await lasts(random, 100, 200);
		await RUNS.restore({ mesh, node, proxy, random, drained });
		const faults: Partial<Record<FaultName, number>> = {};
		for (let round = 1; round <= options.rounds; round += 1) {
			// Each fault in its turn, so that few rounds see them all; how long and where is chance.
			const name = FAULTS[(round - 1) % FAULTS.length] ?? "cut";
			node.tell("quiet no");
			await lasts(random, 50, 250);
			await RUNS[name]({ mesh, node, proxy, random, drained });
			faults[name] = (faults[name] ?? 0) + 1;
			options.say(`round ${round} of ${options.rounds}: ${name}; ${accepted.size} accepted, ${reader.seen.size} seen in core's log`);
		}
		await node.quiet();
		await drained();
		await node.kill();
		const counts = proxy.counts;
		const lanes = await lanesOf(mesh);
		return {
			rounds: options.rounds,
			faults,
			accepted: accepted.size,
			missing: [...accepted].filter((summary) => !reader.seen.has(summary)).length,
			twice: [...reader.seen.values()].filter((count) => count > 1).length,
			quarantined: reader.quarantined,
			...lanes,
			packetsDoubled: counts.doubled,
			packetsSwallowed: counts.swallowed,
			cuts: counts.cuts,
			drainedWithinMsMax: Math.round(drainedWithinMsMax),
		};
	} finally {
		await node?.kill();
		await proxy.close();
		await mesh.remove();
	}
};

export const isAccountedFor = (counts: NetworkCounts): boolean =>
	counts.accepted > 0 && counts.missing === 0 && counts.twice === 0 && counts.quarantined === 0 && counts.lanes > 0 && counts.lanesOpen === 0;
