// Shows five machines with a network of their own each: cut, cut one way only, and cut behind their own broker, they act by their allowance, account for it once when they are back, and lose nothing: HARM-132, RUN-54.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { keyIdOf } from "../../core/service/keys.ts";
import { BrokerProcess } from "../support/broker-process.ts";
import { freePort, ORION, runOrion, TestMesh, until } from "../support/mesh.ts";
import { CORE_ADDRESS, Networks } from "../support/networks.ts";
import { NodeProcess } from "../support/node-process.ts";
import { isQuiet, lanesOf, obeyedTooLate, Records } from "../support/records.ts";
import { TestRedis } from "../support/redis.ts";

/** What becomes of each machine; `attic` has a broker of its own, `shed` stays as it is. */
const FATES = {
	barn: { cut: undefined, becomes: "lost" },
	cellar: { cut: "up", becomes: "lost" },
	loft: { cut: "down", becomes: undefined },
	attic: { cut: undefined, becomes: "unreachable" },
} as const;
const CUT = Object.keys(FATES) as readonly (keyof typeof FATES)[];
const WITHOUT_FAULT = "shed";
const WITH_BROKER = "attic";
const MACHINES = [...CUT, WITHOUT_FAULT];
const WITHIN_MS = 90_000;

interface Nodes {
	readonly nodes: readonly { readonly node: string; readonly presence?: string }[];
}
interface Status {
	readonly mesh: string;
	readonly brokers?: readonly { readonly state: string }[];
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});

/** Where this host allows no namespaces there is nothing to see; that is counted and said, never passed over. */
const networksOr = async (skip: (why: string) => never): Promise<Networks> => {
	try {
		return await Networks.open(MACHINES);
	} catch (error) {
		const why = `this host allows no network namespaces (${error instanceof Error ? error.message.split("\n")[0] : "unknown"})`;
		process.stderr.write(`\nSKIPPED: five machines with a network of their own each: ${why}\n`);
		return skip(why);
	}
};

interface Site {
	readonly networks: Networks;
	readonly mesh: TestMesh;
	readonly redis: TestRedis;
	readonly nodes: Map<string, NodeProcess>;
}

const openSite = async (networks: Networks): Promise<Site> => {
	closers.push(() => networks.close());
	const redis = await TestRedis.startWithin(networks.within(), "--bind", "127.0.0.1", CORE_ADDRESS, "--protected-mode", "no");
	closers.push(() => redis.end());
	await networks.reach(redis.port);
	const config = `redis:\n  url: ${redis.url}\n  brokers: [${WITH_BROKER}]\n`;
	const listen = ["--listen", CORE_ADDRESS, "--mqtts-port", String(await freePort()), "--join-port", "0"];
	const mesh = await TestMesh.make(config, [...listen, "--level", "N2"], "core", networks.within());
	closers.push(() => mesh.remove());
	await networks.reach(mesh.httpPort);
	await mesh.start();
	return { networks, mesh, redis, nodes: new Map() };
};

const startNode = ({ networks, nodes }: Site, name: string, folder: string): void => {
	const node = new NodeProcess(name, folder, [...networks.within(name), process.execPath, ORION, "agent", "--state", folder]);
	const file = join(folder, "node.json");
	writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as object), processes: node.processes() }));
	nodes.set(name, node);
	closers.push(() => node.stop());
	node.start();
};

/** Joins with the line that core printed, on its own machine. */
const joinNode = async (site: Site, name: string): Promise<void> => {
	const { networks, mesh } = site;
	const added = JSON.parse((await mesh.orion("node", "add", name, "--json")).out) as { readonly join: { readonly address: string; readonly token: string } };
	expect(added.join.address).toMatch(new RegExp(`^${CORE_ADDRESS}:`));
	const folder = join(mesh.folder, name);
	const joined = await runOrion(["join", added.join.address, added.join.token, "--state", folder, "--json"], {}, networks.within(name));
	expect([joined.code, joined.err]).toEqual([0, ""]);
	startNode(site, name, folder);
};

/** A machine with a broker of its own, which reaches core through Redis alone, and a node behind it. */
const openAway = async (site: Site, name: string): Promise<void> => {
	const { networks, mesh, redis } = site;
	const granted = JSON.parse((await mesh.orion("broker", "add", name, "--json")).out) as { readonly acl: string; readonly command: string };
	const [verb = "", ...rest] = granted.acl.split(" ");
	await redis.ask(verb, ...rest);
	const broker = new BrokerProcess(granted.command.replace("127.0.0.1", CORE_ADDRESS), networks.within(name));
	closers.push(() => broker.end());
	await broker.start();
	const { username, password } = await mesh.ask<{ username: string; password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node: name }) });
	const { x: publicKey } = JSON.parse(readFileSync(join(mesh.data, "core/core-key.json"), "utf8")) as { readonly x: string };
	const { mesh: id } = await mesh.ask<Status>("/state/status");
	const url = `mqtt://127.0.0.1:${broker.port}`;
	const folder = join(mesh.folder, name);
	mkdirSync(folder);
	const config = { schema: "orion.node-config/1", mesh: id, node: name, url, username, password, coreKeys: [{ keyId: keyIdOf(publicKey), publicKey }] };
	writeFileSync(join(folder, "node.json"), JSON.stringify(config));
	startNode(site, name, folder);
};

const presenceOf = async ({ mesh }: Site, name: string): Promise<string | undefined> =>
	(await mesh.ask<Nodes>("/state/nodes")).nodes.find(({ node }) => node === name)?.presence;

const nodeOf = ({ nodes }: Site, name: string): NodeProcess => {
	const node = nodes.get(name);
	if (node === undefined) throw new Error(`there is no node ${name}`);
	return node;
};

/** Works with core, with an allowance in hand and its service running. */
const isSettled = async (site: Site, log: Records, name: string): Promise<void> => {
	const node = nodeOf(site, name);
	await node.until("it keeps its allowance", () => node.notes("bundle-adopted").find(({ grant }) => Number(grant) > 0));
	await node.until("it works", () => (node.notes("safety").at(-1)?.["safety"] === "working" ? true : undefined));
	await until(
		`${name} is ready, its service runs, and core has nothing under way there`,
		async () => {
			await log.read();
			return (await presenceOf(site, name)) === "ready" && node.running !== undefined && isQuiet(log, name) ? true : undefined;
		},
		WITHIN_MS,
	);
};

/** From the cut until the node has acted alone, and core has said what it makes of the silence. */
const endure = async (site: Site, name: keyof typeof FATES): Promise<void> => {
	const { cut, becomes } = FATES[name];
	const node = nodeOf(site, name);
	const mark = node.mark;
	site.networks.cut(name, cut);
	await node.until("it knows that it is alone", () => node.notes("safety", mark).find(({ safety }) => safety === "alone"));
	await node.kill();
	await node.until("it acts by its allowance", () => node.notes("alone-acted", mark)[0]);
	await node.until("its service runs again", () => node.running);
	if (becomes === undefined) return;
	await until(`core says that ${name} is ${becomes}`, async () => ((await presenceOf(site, name)) === becomes ? true : undefined), WITHIN_MS);
};

/** What the log says of a node once everything about it is settled. */
const accountOf = (log: Records, name: string) => {
	const mine = <T extends { readonly envelope: { readonly source: string } }>(records: readonly T[]) =>
		records.filter(({ envelope }) => envelope.source === `/nodes/${name}`);
	const acted = mine(log.of("dev.orion.alone.acted.v1"));
	const positions = acted.map(({ position }) => position);
	const receipts = mine(log.of("dev.orion.action.receipt.v1"));
	return {
		ends: mine(log.of("dev.orion.process.down.v1")).length,
		acted: acted.length,
		ordered: new Set(receipts.filter(({ envelope }) => envelope.data.phase === "done").map(({ envelope }) => envelope.data.command)).size,
		reconciled: log.of("dev.orion.reconciliation.made.v1").filter(({ envelope }) => positions.some((position) => envelope.data.acted.includes(position)))
			.length,
	};
};

test("HARM-132, RUN-54: five machines, cut wholly, one way only, and behind their own broker: each acts by its allowance, and core accounts for it once", async (context) => {
	const networks = await networksOr((why) => context.skip(why));
	const site = await openSite(networks);
	await openAway(site, WITH_BROKER);
	for (const name of MACHINES) if (name !== WITH_BROKER) await joinNode(site, name);
	const log = new Records(site.mesh);
	for (const name of MACHINES) await isSettled(site, log, name);

	await Promise.all(CUT.map((name) => endure(site, name)));
	// Meanwhile core works with the one that it hears: nothing else would start that service but an allowance, which is counted below.
	const healthy = nodeOf(site, WITHOUT_FAULT);
	await healthy.kill();
	await healthy.until("its service was started again", () => (healthy.starts.length === 2 ? healthy.running : undefined));

	for (const name of CUT) networks.heal(name, FATES[name].cut);
	for (const name of MACHINES) await isSettled(site, log, name);
	await until(
		"core accounts for what was done alone",
		async () => {
			await log.read();
			const accounts = MACHINES.map((name) => accountOf(log, name));
			// A node may be ready again a moment before what it has to tell is there.
			return accounts.every(({ ends, acted, reconciled }) => ends > 0 && acted === reconciled) ? true : undefined;
		},
		WITHIN_MS,
	);
	// Core may order one more restart when it hears of the end before it hears that the service runs again; its receipt is a moment behind the start.
	await until(
		"core has nothing under way any more",
		async () => {
			await log.read();
			return MACHINES.every((name) => isQuiet(log, name)) ? true : undefined;
		},
		WITHIN_MS,
	);
	for (const name of MACHINES) {
		const { ends, acted, ordered, reconciled } = accountOf(log, name);
		expect([name, ends, obeyedTooLate(log, name)]).toEqual([name, 1, 0]);
		expect([name, acted, reconciled]).toEqual([name, name === WITHOUT_FAULT ? acted : 1, acted]);
		// Nothing was started that neither the allowance nor an order of core accounts for.
		expect([name, nodeOf(site, name).starts.length]).toEqual([name, 1 + acted + ordered]);
	}
	for (const node of site.nodes.values()) await node.stop();
	await log.read();
	expect(log.of("dev.orion.quarantine.entry.v1")).toEqual([]);
	expect(await site.mesh.stop()).toBe(0);
	const { lanes, lanesOpen } = await lanesOf(site.mesh, MACHINES);
	expect([lanes > 0, lanesOpen]).toEqual([true, 0]);
}, 400_000);
