// Shows, with core and agent as processes, that a certificate is renewed before its end and used without a new session, and that one which is over leaves health and stop until core gives a new one: HARM-133, HARM-134.
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { keptFiles } from "../../agents/roles/kept-files.ts";
import { openMeshCa, requestWith } from "../../agents/roles/mesh-ca.ts";
import { freePort, ORION, runOrion, TestMesh, until } from "../support/mesh.ts";
import { NodeProcess } from "../support/node-process.ts";
import { isQuiet, Records } from "../support/records.ts";
import { Relay } from "../support/relay.ts";

const NODE = "pi-3";
const DAY_MS = 86_400_000;
const NODE_DAYS = 730;
const SYNCED_MARK = "/run/systemd/timesync/synchronized";
/** A node asks each minute while its certificate is over, and this machine may be slow. */
const RECOVERED_WITHIN_MS = 240_000;

interface Nodes {
	readonly nodes: readonly {
		readonly node: string;
		readonly presence?: string;
		readonly session?: string;
		readonly safety?: string;
		readonly outboxCount?: number;
	}[];
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});

const openMesh = async (): Promise<TestMesh> => {
	// The same ports after a restart: a node knows no others.
	const ports = ["--mqtts-port", String(await freePort()), "--join-port", String(await freePort())];
	const mesh = await TestMesh.make("", ["--listen", "127.0.0.1", "--level", "N2", ...ports], "core");
	closers.push(() => mesh.remove());
	await mesh.start();
	return mesh;
};

const rowOf = async (mesh: TestMesh) => (await mesh.ask<Nodes>("/state/nodes")).nodes.find(({ node }) => node === NODE);
const serialOf = (folder: string): string => new X509Certificate(readFileSync(join(folder, "node.crt"))).serialNumber;

/** Joins, and gets what the authority of this mesh gave it so many days ago, for the same key: time itself cannot be waited for. */
const joinedSince = async (mesh: TestMesh, days: number): Promise<{ readonly folder: string; readonly serial: string }> => {
	const added = JSON.parse((await mesh.orion("node", "add", NODE, "--json")).out) as { readonly join: { readonly address: string; readonly token: string } };
	const folder = join(mesh.folder, NODE);
	expect((await runOrion(["join", added.join.address, added.join.token, "--state", folder, "--json"])).code).toBe(0);
	const { mesh: id } = JSON.parse(readFileSync(join(mesh.data, "mesh.json"), "utf8")) as { readonly mesh: string };
	const authority = await openMeshCa(await keptFiles(mesh.data), id, () => Date.now() - days * DAY_MS);
	const given = await authority.node(NODE, await requestWith(NODE, readFileSync(join(folder, "node.key"), "utf8")));
	if (!given.ok) throw new Error(given.fault.code);
	writeFileSync(join(folder, "node.crt"), given.value.certificatePem);
	return { folder, serial: given.value.serial };
};

const editConfig = (folder: string, change: (config: Record<string, unknown>) => Record<string, unknown>): void => {
	const file = join(folder, "node.json");
	writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>)));
};

const startNode = (folder: string, before: readonly string[] = []): NodeProcess => {
	const node = new NodeProcess(NODE, folder, [...before, process.execPath, ORION, "agent", "--state", folder]);
	editConfig(folder, (config) => ({ ...config, processes: node.processes() }));
	closers.push(() => node.stop());
	node.start();
	return node;
};

/** What ends there is told to core, and core has it started again. */
const isRepaired = async (mesh: TestMesh, node: NodeProcess): Promise<void> => {
	const before = node.starts.length;
	await node.kill();
	await node.until("its service is started again", () => (node.starts.length > before ? node.running : undefined));
	const log = new Records(mesh);
	await until("core has nothing under way there", async () => {
		await log.read();
		const ends = log.of("dev.orion.process.down.v1").filter(({ envelope }) => envelope.source === `/nodes/${NODE}`);
		return ends.length >= before && isQuiet(log, NODE) ? true : undefined;
	});
};

/** What starts another command where the host's clock counts as set: a node that does not know the time does not judge by it. */
const withClockSet = (skip: (why: string) => never): readonly string[] => {
	if (existsSync(SYNCED_MARK)) return [];
	const say = `mount -t tmpfs none /run && mkdir -p /run/systemd/timesync && : > ${SYNCED_MARK} && exec "$@"`;
	const before = ["unshare", "-r", "-m", "sh", "-c", say, "sh"];
	try {
		const [program = "", ...args] = [...before, "true"];
		execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
		return before;
	} catch (error) {
		const why = `nobody sets the clock of this host, and it allows no mount namespaces (${error instanceof Error ? error.message.split("\n")[0] : "unknown"})`;
		process.stderr.write(`\nSKIPPED: a certificate that is renewed before its end: ${why}\n`);
		return skip(why);
	}
};

/** The book of core says that this one was taken back: who comes in now has another. */
const takeBack = (mesh: TestMesh, serial: string): void => {
	const file = join(mesh.data, "certificates.json");
	const book = JSON.parse(readFileSync(file, "utf8")) as { readonly schema: string; readonly certificates: readonly object[] };
	const row = { node: NODE, serial, notAfterWallMs: Date.now() + 30 * DAY_MS, revokedWallMs: Date.now() };
	writeFileSync(file, JSON.stringify({ ...book, certificates: [...book.certificates, row] }));
};

test("HARM-133: an agent renews its certificate in its last 60 days, and goes on with the new one in the same session", async (context) => {
	const before = withClockSet((why) => context.skip(why));
	const mesh = await openMesh();
	const { folder, serial } = await joinedSince(mesh, NODE_DAYS - 30);
	const key = readFileSync(join(folder, "node.key"), "utf8");
	const node = startNode(folder, before);
	await node.until("it has renewed its certificate", () => node.notes("certificate-renewed")[0]);
	expect([serialOf(folder) === serial, readFileSync(join(folder, "node.key"), "utf8") === key]).toEqual([false, true]);
	const { session } = await until("it is ready", async () => {
		const row = await rowOf(mesh);
		return row?.presence === "ready" && row.session !== undefined ? row : undefined;
	});
	expect((await mesh.orion("node", "ls")).out).toMatch(/pi-3 +ready +.* 7(29|30) d /);
	await isRepaired(mesh, node);

	await mesh.kill();
	takeBack(mesh, serial);
	const mark = node.mark;
	await mesh.start();
	await node.until("it is back", () => node.notes("link-up", mark)[0]);
	await until("it is ready, as the one that it was", async () => {
		const row = await rowOf(mesh);
		return row?.presence === "ready" && row.session === session ? true : undefined;
	});
	await isRepaired(mesh, node);
	expect(node.notes("restricted")).toEqual([]);
	expect(new Set(node.notes("link-up").map((line) => line["session"]))).toEqual(new Set([session]));
});

test("HARM-134: a certificate that is over and could not be renewed leaves health and stop; the node recovers by itself once core gives a new one", async () => {
	const mesh = await openMesh();
	const { folder, serial } = await joinedSince(mesh, NODE_DAYS + 10);
	const { join: door } = JSON.parse(readFileSync(join(folder, "node.json"), "utf8")) as { readonly join: string };
	const wayPort = await freePort();
	editConfig(folder, (config) => ({ ...config, join: `127.0.0.1:${wayPort}` }));
	const node = startNode(folder);
	await node.until("it is restricted", () => node.notes("restricted")[0]);
	await node.until("it asked for another in vain", () => node.notes("certificate-not-renewed").find(({ code }) => code === "JOIN_ADDRESS"));
	// Health, and stop.
	await until("core hears that it is restricted", async () => ((await rowOf(mesh))?.safety === "restricted" ? true : undefined));
	await mesh.orion("stop", NODE);
	await until("it says itself that it stopped", async () => ((await rowOf(mesh))?.safety === "stopped" ? true : undefined));
	expect((await mesh.orion("release", NODE, "--yes", "--json")).code).toBe(0);
	await until("it is restricted as before", async () => ((await rowOf(mesh))?.safety === "restricted" ? true : undefined));
	// Nothing else: what ends there stays ended, and core is told no more than that something waits.
	const { outboxCount: waiting = 0 } = (await rowOf(mesh)) ?? {};
	await node.kill();
	await until("the node has seen it", async () => (((await rowOf(mesh))?.outboxCount ?? 0) > waiting ? true : undefined));
	const log = new Records(mesh);
	await log.read();
	const events = log.all.filter(({ envelope }) => envelope.source === `/nodes/${NODE}` && envelope.lane === "event");
	expect([events, node.starts.length, serialOf(folder)]).toEqual([[], 1, serial]);

	await mesh.kill();
	const way = await Relay.open(wayPort, Number(door.split(":")[1]));
	closers.push(() => way.close());
	await mesh.start();
	await until("it is let in again", () => node.notes("restricted-no-more")[0], RECOVERED_WITHIN_MS);
	expect(serialOf(folder)).not.toBe(serial);
	await node.until("its service was started by an order of core", () => (node.starts.length === 2 ? node.running : undefined));
	await until("core hears that it works", async () => {
		const row = await rowOf(mesh);
		return row?.presence === "ready" && row.safety === "working" ? true : undefined;
	});
	expect((await mesh.orion("node", "ls")).out).toMatch(/pi-3 +ready +.* 7(29|30) d /);
}, 500_000);
