// Shows that nodes which are cut off, wholly or one way only, act by their allowance alone, account for it once when they are back, and obey nothing old: HARM-104, HARM-105, LOSS-53.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, TestMesh, until } from "../support/mesh.ts";
import { SERVICE } from "../support/node-process.ts";
import { seeded } from "../support/random.ts";
import { isQuiet, lanesOf, obeyedTooLate, Records } from "../support/records.ts";
import { Island } from "./island.ts";

const NODES = ["barn", "cellar", "garage", "loft", "shed"] as const;
const KINDS = ["cut", "deaf", "mute"] as const;
type Kind = (typeof KINDS)[number];

/** As the policies of the rounds say. */
const USES = 2;
const RECONCILED_WITHIN_MS = 60_000;

export interface PartitionCounts {
	readonly rounds: number;
	readonly kinds: Readonly<Partial<Record<Kind, number>>>;
	/** Partitions whose act or refusal stands in exactly one reconciliation of its node. */
	readonly reconciled: number;
	readonly reconciledTwice: number;
	readonly acted: number;
	readonly refused: number;
	/** Acts alone beyond what the allowances of all nodes named. */
	readonly actedTooOften: number;
	/** Commands of core that had their effect. */
	readonly commands: number;
	/** Starts of a service that neither core's command nor an allowance accounts for; commands accepted by another session or too late. */
	readonly staleExecutions: number;
	/** Ends of services that happened, and how many of them core never heard of. */
	readonly ends: number;
	readonly endsLost: number;
	readonly lanes: number;
	readonly lanesOpen: number;
	readonly quarantined: number;
	readonly packetsDoubled: number;
	readonly packetsOvertaken: number;
	readonly packetsRepeated: number;
	readonly packetsSwallowed: number;
}

interface Soak {
	readonly mesh: TestMesh;
	readonly islands: readonly Island[];
	readonly random: () => number;
	readonly log: Records;
}

const lasts = (ms: number): Promise<void> =>
	new Promise((resolve) => {
		setTimeout(resolve, ms);
	});

const BEGINS: Readonly<Record<Kind, (island: Island) => void>> = {
	cut: ({ proxy }) => proxy.away(true),
	deaf: ({ proxy }) => proxy.mute("down", true),
	mute: ({ proxy }) => proxy.mute("up", true),
};
const ENDS: Readonly<Record<Kind, (island: Island) => void>> = {
	cut: ({ proxy }) => proxy.away(false),
	deaf: ({ proxy }) => {
		proxy.mute("down", false);
		proxy.cut();
	},
	mute: ({ proxy }) => {
		proxy.mute("up", false);
		proxy.cut();
	},
};

/** The network comes back as networks do: late, twice, in another order; and what was said long ago comes once more. */
const heal = async ({ random }: Soak, island: Island, kind: Kind): Promise<void> => {
	const { proxy } = island;
	proxy.weather({ delayMs: 10 + random() * 120, doubles: () => random() < 0.3, overtakes: () => random() < 0.3 });
	ENDS[kind](island);
	await lasts(200 + random() * 800);
	proxy.repeat("down", random);
	await lasts(200 + random() * 600);
	proxy.weather({});
	proxy.repeat("down", random);
};

interface Partition {
	readonly node: string;
	/** Position of what the node did or did not do alone. */
	readonly position: number;
}

/** One partition of one node, until everything about it is accounted for. */
const partition = async (soak: Soak, island: Island, kind: Kind): Promise<Partition> => {
	const { random, log } = soak;
	const { name } = island;
	await until(`${name}: its service runs, and core has nothing under way there`, async () => {
		await log.read();
		return island.running !== undefined && isQuiet(log, name) ? true : undefined;
	});
	const mark = island.mark;
	const told = () =>
		[...log.of("dev.orion.alone.acted.v1"), ...log.of("dev.orion.alone.refused.v1")].filter(({ envelope }) => envelope.source === `/nodes/${name}`);
	const before = told().length;
	BEGINS[kind](island);
	await island.until("it knows that it is alone", () => island.notes("safety", mark).find(({ safety }) => safety === "alone"));
	await lasts(random() * 1_000);
	await island.kill();
	await island.until("it acts or refuses", () => [...island.notes("alone-acted", mark), ...island.notes("alone-refuses", mark)][0]);
	await lasts(random() * 1_000);
	await heal(soak, island, kind);
	const position = await until(
		`${name} tells what it did alone, core accounts for it, and the service runs`,
		async () => {
			await log.read();
			const mine = told()[before]?.position;
			const isAccounted = log.of("dev.orion.reconciliation.made.v1").some(({ envelope: { data } }) => [...data.acted, ...data.refused].includes(mine ?? 0));
			return isAccounted && island.running !== undefined ? mine : undefined;
		},
		RECONCILED_WITHIN_MS,
	);
	return { node: name, position };
};

/** Starts that nobody ordered, and orders that were obeyed by the wrong session or too late. */
const staleOf = (log: Records, islands: readonly Island[]): { readonly commands: number; readonly stale: number } => {
	let [commands, stale] = [0, 0];
	const receipts = log.of("dev.orion.action.receipt.v1").map(({ envelope }) => envelope);
	for (const { name, starts } of islands) {
		const mine = receipts.filter(({ source }) => source === `/nodes/${name}`);
		const done = new Set(mine.filter(({ data }) => data.phase === "done").map(({ data }) => data.command));
		const acted = log.of("dev.orion.alone.acted.v1").filter(({ envelope }) => envelope.source === `/nodes/${name}` && envelope.data.outcome === "done").length;
		commands += done.size;
		stale += Math.max(0, starts.length - 1 - acted - done.size);
		stale += obeyedTooLate(log, name);
	}
	return { commands, stale };
};

/** The shipped policies, but core repairs as often as the rounds break, and is sure of it sooner. */
const writePolicies = (folder: string): void => {
	mkdirSync(join(folder, "policies"));
	const actions = readFileSync(join(ROOT, "policies/actions.yaml"), "utf8");
	const patient = actions.replace("cooldown: 5s", "cooldown: 0s").replace("budgetPerHour: 30", "budgetPerHour: 1000").replace("clearFor: 3s", "clearFor: 1s");
	if (patient === actions || !readFileSync(join(ROOT, "policies/autonomy.yaml"), "utf8").includes(`uses: ${USES}`))
		throw new Error("the shipped policies say something else now");
	writeFileSync(join(folder, "policies/actions.yaml"), patient);
};

const begin = async (mesh: TestMesh, islands: readonly Island[], log: Records): Promise<void> => {
	for (const island of islands) island.start();
	for (const island of islands) {
		await island.until("it keeps its allowance", () => island.notes("bundle-adopted").find(({ grant }) => Number(grant) > 0));
		await island.until("it works", () => island.notes("safety").find(({ safety }) => safety === "working"));
	}
	await until("core knows every service", async () => {
		await log.read();
		return NODES.every((node) =>
			log.of("dev.orion.process.up.v1").some(({ envelope }) => envelope.source === `/nodes/${node}` && envelope.data.service === SERVICE),
		)
			? true
			: undefined;
	});
	if (mesh.pid === undefined) throw new Error("the mesh has ended");
};

const countsOf = (soak: Soak, partitions: readonly Partition[]) => {
	const { log, islands } = soak;
	const times = partitions.map(
		({ position }) => log.of("dev.orion.reconciliation.made.v1").filter(({ envelope: { data } }) => [...data.acted, ...data.refused].includes(position)).length,
	);
	const acted = log.of("dev.orion.alone.acted.v1");
	const perNode = NODES.map((node) => acted.filter(({ envelope }) => envelope.source === `/nodes/${node}`).length);
	const { commands, stale } = staleOf(log, islands);
	const downs = log.of("dev.orion.process.down.v1").filter(({ envelope }) => NODES.some((node) => envelope.source === `/nodes/${node}`)).length;
	const sum = (what: "doubled" | "overtaken" | "repeated" | "swallowed"): number => islands.reduce((all, { proxy }) => all + proxy.counts[what], 0);
	return {
		reconciled: times.filter((count) => count === 1).length,
		reconciledTwice: times.filter((count) => count > 1).length,
		acted: acted.length,
		refused: log.of("dev.orion.alone.refused.v1").length,
		actedTooOften: perNode.reduce((all, count) => all + Math.max(0, count - USES), 0),
		commands,
		staleExecutions: stale,
		ends: partitions.length,
		endsLost: Math.max(0, partitions.length - downs),
		quarantined: log.of("dev.orion.quarantine.entry.v1").length,
		packetsDoubled: sum("doubled"),
		packetsOvertaken: sum("overtaken"),
		packetsRepeated: sum("repeated"),
		packetsSwallowed: sum("swallowed"),
	};
};

/** `rounds` partitions, up to five at a time, each of another node. */
export const runPartitionRounds = async (options: {
	readonly rounds: number;
	readonly seed: number;
	readonly say: (line: string) => void;
}): Promise<PartitionCounts> => {
	const random = seeded(options.seed);
	const mesh = await TestMesh.make("node: host\npolicies: policies\n", ["--level", "N2"]);
	const islands: Island[] = [];
	try {
		writePolicies(mesh.folder);
		await mesh.start();
		for (const node of NODES) islands.push(await Island.make(mesh, node));
		const log = new Records(mesh);
		await begin(mesh, islands, log);
		const soak: Soak = { mesh, islands, random, log };
		const partitions: Partition[] = [];
		const kinds: Partial<Record<Kind, number>> = {};
		while (partitions.length < options.rounds) {
			const wave = islands.slice(0, options.rounds - partitions.length).map((island, index) => {
				// Each kind in its turn, so that few rounds see them all; when and how long is chance.
				const kind = KINDS[(partitions.length + index) % KINDS.length] ?? "cut";
				kinds[kind] = (kinds[kind] ?? 0) + 1;
				return partition(soak, island, kind);
			});
			partitions.push(...(await Promise.all(wave)));
			options.say(`${partitions.length} of ${options.rounds} partitions; ${log.all.length} records`);
		}
		await until("core has nothing under way any more", async () => {
			await log.read();
			return NODES.every((node) => isQuiet(log, node)) ? true : undefined;
		});
		for (const island of islands) await island.stop();
		await log.read();
		const counts = countsOf(soak, partitions);
		await mesh.stop();
		return { rounds: options.rounds, kinds, ...counts, ...(await lanesOf(mesh, NODES)) };
	} finally {
		await Promise.all(islands.map((island) => island.stop()));
		await mesh.remove();
	}
};

export const isReconciled = (counts: PartitionCounts): boolean =>
	counts.reconciled === counts.rounds &&
	counts.reconciledTwice === 0 &&
	counts.actedTooOften === 0 &&
	counts.staleExecutions === 0 &&
	counts.endsLost === 0 &&
	counts.quarantined === 0 &&
	counts.lanes > 0 &&
	counts.lanesOpen === 0;
