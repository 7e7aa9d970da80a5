// Decides what is looked at when a mesh is examined, how it is judged, and the exact fix of what is wrong.
import { join } from "node:path";
import { OrionError, sayFault } from "../../contracts/errors.ts";
import { sayDuration } from "../../contracts/time.ts";
import type { LogView, StatusView } from "../../core/service/views.ts";
import { GUARD, SERVO_BUS, VENDOR_PORT } from "../install/refusals.ts";
import { checkAudit } from "../roles/audit-check.ts";
import { newestCertificates } from "../roles/certificate-book.ts";
import { findConfig, readPolicies } from "../roles/config.ts";
import type { HostFacts } from "../roles/host-facts.ts";
import { readText } from "../roles/kept-files.ts";
import { openStoppedLog } from "../roles/stopped-log.ts";
import { gigabytes, grouped, percent } from "./layout.ts";
import type { MeshClient } from "./mesh-client.ts";

export type State = "OK" | "WARN" | "FAIL";

export interface Finding {
	readonly state: State;
	readonly says: string;
	/** A line to type, or what to do. */
	readonly fix?: string;
}

export interface Patient {
	readonly data: string;
	readonly facts: HostFacts;
	/** The running mesh; undefined: none answers. */
	readonly mesh: MeshClient | undefined;
	/** Why none answers. */
	readonly away: string;
	readonly wallMs: number;
}

export interface Check {
	readonly id: string;
	readonly title: string;
	examine(patient: Patient): Promise<Finding>;
}

const fine = (says: string): Finding => ({ state: "OK", says });
const warn = (says: string, fix: string): Finding => ({ state: "WARN", says, fix });
const bad = (says: string, fix: string): Finding => ({ state: "FAIL", says, fix });
const ofFault = (error: unknown, fix: string): Finding => {
	if (!(error instanceof OrionError)) throw error;
	return bad(sayFault(error.fault), fix);
};

const NODE_MIN = [20, 19] as const;
const DISK_WARN_RATIO = 0.85;
const DISK_FAIL_RATIO = 0.95;
const DISK_RESERVE_BYTES = 64_000_000;
const OTHERS = 0o077;
const MQTT_PORT = 1_883;
const HTTP_PORT = 7_070;
/** Core records time every 30 s when nothing else happens. */
const STANDS_STILL_MS = 60_000;
const LAG_RECORDS = 1_000;
const DAY_MS = 86_400_000;
/** Agents renew in the last 60 days: one that has not by now does not. */
const CERTIFICATE_WARN_DAYS = 30;
const SECRETS = ["token", "core/core-key.json", "core/audit-key.json"] as const;

const node: Check["examine"] = async ({ facts }) => {
	const [major = 0, minor = 0] = facts.nodeVersion.split(".").map(Number);
	const enough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
	return enough ? fine(facts.nodeVersion) : bad(`${facts.nodeVersion} is too old`, `install Node ${NODE_MIN.join(".")} or newer`);
};

const folder: Check["examine"] = async ({ data, facts }) => {
	const found = await facts.file(data);
	if (found === undefined) return warn(`${data} is not there yet`, "orion up");
	if (found.uid !== facts.uid && facts.uid !== 0) return bad(`${data} belongs to another user (uid ${found.uid})`, `sudo chown -R "$USER" '${data}'`);
	if ((found.mode & 0o700) !== 0o700) return bad(`${data} cannot be read and written by its owner`, `chmod 700 '${data}'`);
	return (found.mode & OTHERS) === 0 ? fine(data) : warn(`others on this machine may look into ${data}`, `chmod 700 '${data}'`);
};

const owner: Check["examine"] = async ({ data, facts, mesh }) => {
	const found = await facts.owner(data);
	if (found === undefined)
		return mesh === undefined
			? fine("nobody uses it")
			: warn("a mesh answers, and does not hold its folder's lock", `look who does: ls -l '${join(data, "log")}'`);
	if (!found.isAlive) return warn(`process ${found.pid} held it and is gone; the next start takes it over`, "orion up");
	return mesh === undefined
		? bad(`process ${found.pid} holds it, and no mesh answers`, `look at it: ps -fp ${found.pid}; end it: kill ${found.pid}`)
		: fine(`process ${found.pid}`);
};

const secrets: Check["examine"] = async ({ data, facts }) => {
	const open: string[] = [];
	let found = 0;
	for (const name of SECRETS) {
		const file = await facts.file(join(data, name));
		if (file === undefined) continue;
		found += 1;
		if ((file.mode & OTHERS) !== 0) open.push(join(data, name));
	}
	if (open.length > 0) return bad(`others on this machine may read ${open.join(", ")}`, `chmod 600 ${open.map((path) => `'${path}'`).join(" ")}`);
	return found === 0 ? warn("there are none yet", "orion up") : fine("token and keys are readable by their owner only");
};

const certificates: Check["examine"] = async ({ data, wallMs }) => {
	try {
		const rows = [...(await newestCertificates((name) => readText(join(data, name)))).values()].map(({ node, notAfterWallMs }) => ({
			node,
			days: Math.floor((notAfterWallMs - wallMs) / DAY_MS),
		}));
		const named = (some: typeof rows): string => some.map(({ node, days }) => (days < 0 ? node : `${node} (${days} d)`)).join(", ");
		const over = rows.filter(({ days }) => days < 0);
		const fix = "start `orion agent` there, which asks for a new one; or there: orion renew";
		if (over.length > 0) return bad(`over, so only health and stop are left to: ${named(over)}`, fix);
		const soon = rows.filter(({ days }) => days < CERTIFICATE_WARN_DAYS);
		if (soon.length > 0) return warn(`soon over, and not renewed by its node: ${named(soon)}`, fix);
		return fine(
			rows.length === 0
				? "no node has one: none joined over TLS"
				: `${rows.length} of nodes, the first is over in ${Math.min(...rows.map(({ days }) => days))} days`,
		);
	} catch (error) {
		return ofFault(error, `restore ${join(data, "certificates.json")} from a backup`);
	}
};

const disk: Check["examine"] = async ({ data, facts }) => {
	const found = (await facts.disk(data)) ?? (await facts.disk("/"));
	if (found === undefined) return warn("this system does not say how full its disk is", `look yourself: df -h '${data}'`);
	const says = `${percent(found.usedRatio)} used, ${gigabytes(found.freeBytes)} GB free`;
	if (found.usedRatio >= DISK_FAIL_RATIO || found.freeBytes < DISK_RESERVE_BYTES)
		return bad(`${says}: nodes are turned away`, `free some space: du -xh '${data}' / 2>/dev/null | sort -h | tail`);
	return found.usedRatio >= DISK_WARN_RATIO ? warn(says, "free some space before it is full: du -xh / 2>/dev/null | sort -h | tail") : fine(says);
};

const clock: Check["examine"] = async ({ facts }) =>
	facts.clockQuality() === "synced"
		? fine("synced")
		: warn("not known to be synced: times in the records may be wrong; no decision depends on them", "sudo timedatectl set-ntp true");

const config: Check["examine"] = async ({ data }) => {
	const found = await findConfig(undefined, data);
	if (!found.ok) return bad(sayFault(found.fault), "mend that line, then: orion config check");
	return fine(found.value.file ?? "no orion.yaml: everything has its default");
};

const policies: Check["examine"] = async ({ data }) => {
	const found = await findConfig(undefined, data);
	if (!found.ok) return warn("not looked at, because orion.yaml is wrong", "orion config check");
	const policy = await readPolicies(found.value);
	return policy.ok ? fine(`policy ${policy.value.hash.slice(7, 15)}`) : bad(sayFault(policy.fault), "mend that line, then: orion config check");
};

const ports: Check["examine"] = async ({ data, facts, mesh }) => {
	if (mesh !== undefined) return fine("held by the mesh that runs");
	const found = await findConfig(undefined, data);
	const value = found.ok ? found.value.value : {};
	const wanted: readonly (readonly [number, string])[] = [
		[value.mqtt?.port ?? MQTT_PORT, "--mqtt-port"],
		[value.http?.port ?? HTTP_PORT, "--http-port"],
	];
	for (const [port, flag] of wanted)
		if (port !== 0 && !(await facts.isPortFree(port)))
			return bad(`port ${port} is in use`, `see who listens: ss -ltnp 'sport = :${port}'; or choose another: orion up ${flag} 0`);
	return fine(`${wanted.map(([port]) => port).join(" and ")} are free`);
};

const reachable: Check["examine"] = async ({ mesh, away, wallMs }) => {
	if (mesh === undefined) return warn(away, "orion up");
	const status = await mesh.get<StatusView>("/state/status");
	const { records } = await mesh.get<LogView>(`/state/log?from=${status.rev}&limit=1`);
	const newest = Date.parse(records[0]?.envelope.recordedtime ?? "");
	const age = wallMs - newest;
	if (Number.isFinite(age) && age > STANDS_STILL_MS)
		return bad(`its log stands still: the newest record is ${sayDuration(age)} old`, "look for an error in: orion status; then stop it and start it again");
	if (status.core.lag > LAG_RECORDS)
		return warn(`its engine is ${grouped(status.core.lag)} records behind`, "wait, and look again; if it stays: orion logs -f");
	return fine(`${status.mesh} at ${status.level}, ${grouped(status.core.head)} records, the newest ${sayDuration(Math.max(0, age))} old`);
};

const notices: Check["examine"] = async ({ mesh }) => {
	if (mesh === undefined) return fine("nothing is said while no mesh runs");
	const status = await mesh.get<StatusView>("/state/status");
	const worst = status.notices.find(({ severity }) => severity === "error") ?? status.notices.find(({ severity }) => severity === "warning");
	if (worst === undefined) return fine("nothing that needs you");
	return worst.severity === "error" ? bad(worst.text, "do what it says; all of them: orion status") : warn(worst.text, "all of them: orion status");
};

const log: Check["examine"] = async ({ data, facts, mesh }) => {
	if (mesh !== undefined) return fine("every record was verified when the mesh started");
	if ((await facts.file(join(data, "mesh.json"))) === undefined) return warn("there is none yet", "orion up");
	try {
		const { log: opened } = await openStoppedLog(data);
		const head = opened.head();
		await opened.close();
		return fine(`${grouped(head)} records, every checksum is right`);
	} catch (error) {
		return ofFault(error, "restore the folder from a backup, or accept the loss: orion up --accept-loss");
	}
};

const audit: Check["examine"] = async ({ data, facts, mesh }) => {
	if ((await facts.file(join(data, "audit"))) === undefined) return warn("there is none yet", "orion up");
	try {
		const verified = await checkAudit(data, undefined, { enteredUpTo: 0, isRunning: mesh !== undefined });
		const [worst] = verified.findings;
		if (worst !== undefined) return bad(`${worst.text} (${worst.file})`, "change nothing, and look: orion audit verify");
		return fine(`${grouped(verified.entries)} entries, signed up to #${verified.signedUpTo}`);
	} catch (error) {
		return ofFault(error, "orion audit verify");
	}
};

/** Where there is a servo bus, whoever else could move the same legs. */
const robot: Check["examine"] = async ({ facts }) => {
	if (!facts.exists(SERVO_BUS)) return fine("no servo bus here");
	if (await facts.listens(VENDOR_PORT))
		return bad(
			`something listens on port ${VENDOR_PORT}, as the vendor's server does: two programs would move the same legs`,
			`see who it is, and stop it: sudo ss -ltnp 'sport = :${VENDOR_PORT}'`,
		);
	const others = (await facts.holders(SERVO_BUS)).filter(({ name }) => name !== GUARD);
	const [first] = others;
	if (first !== undefined)
		return bad(`process ${first.pid} (${first.name}) has ${SERVO_BUS} open beside the guard`, `look at it: ps -fp ${first.pid}; end it: kill ${first.pid}`);
	return fine("nobody else is at the servos");
};

export const CHECKS: readonly Check[] = [
	{ id: "node", title: "Node", examine: node },
	{ id: "folder", title: "data folder", examine: folder },
	{ id: "owner", title: "its owner", examine: owner },
	{ id: "secrets", title: "token, keys", examine: secrets },
	{ id: "certificates", title: "certificates", examine: certificates },
	{ id: "disk", title: "disk", examine: disk },
	{ id: "clock", title: "clock", examine: clock },
	{ id: "config", title: "orion.yaml", examine: config },
	{ id: "policies", title: "policies", examine: policies },
	{ id: "ports", title: "ports", examine: ports },
	{ id: "robot", title: "servos", examine: robot },
	{ id: "mesh", title: "mesh", examine: reachable },
	{ id: "notices", title: "notices", examine: notices },
	{ id: "log", title: "log", examine: log },
	{ id: "audit", title: "audit", examine: audit },
];
