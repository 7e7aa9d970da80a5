// Measures how long it takes from an alert on disk to its command through the gate (N2, SAFE), beside one fsync of this disk.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, TestMesh, until } from "../support/mesh.ts";
import { type Figure, figure } from "./figures.ts";
import { median, quantile } from "./load.ts";

const ROUNDS = 60;

/** Alerts are answered by a restart of the service of their name, without pauses. */
const policies = (mesh: TestMesh): void => {
	cpSync(join(ROOT, "policies"), join(mesh.folder, "policies"), { recursive: true });
	const change = (file: string, edit: (text: string) => string): void => {
		const path = join(mesh.folder, "policies", file);
		writeFileSync(path, edit(readFileSync(path, "utf8")));
	};
	change("actions.yaml", (text) =>
		text.replaceAll("clearFor: 3s", "clearFor: 1ms").replaceAll("cooldown: 5s", "cooldown: 0ms").replaceAll("budgetPerHour: 30", "budgetPerHour: 1000"),
	);
	change(
		"autonomy.yaml",
		(text) => `${text}  - id: bench-alert\n    rule: alert\n    action: process.restart\n    with: { service: web }\n    says: for the bench\n`,
	);
};

const fsyncMs = async (folder: string): Promise<number> => {
	const file = await open(join(folder, "fsync-probe"), "w");
	const found: number[] = [];
	for (let round = 0; round < 50; round++) {
		await file.write(Buffer.alloc(300, 65));
		const beganMs = performance.now();
		await file.datasync();
		found.push(performance.now() - beganMs);
	}
	await file.close();
	return median(found);
};

const alert = (mesh: TestMesh, name: string, kind: "firing" | "resolved"): Promise<unknown> => {
	const data = kind === "firing" ? { name, severity: "error", summary: "bench" } : { name };
	const body = JSON.stringify({ specversion: "1.0", id: `${kind}-${name}`, source: "/nodes/host", type: `dev.orion.alert.${kind}.v1`, data });
	return mesh.ask("/events", { method: "POST", body });
};

/** Wall time of both stamps is this host's; the difference of two appends is what passed between them. */
const elapsed = async (mesh: TestMesh): Promise<readonly number[]> => {
	const at = new Map<string, number>();
	const found: number[] = [];
	const incidentOf = new Map<string, string>();
	for (const { envelope } of await mesh.records()) {
		const recordedMs = Date.parse(envelope.recordedtime ?? "");
		if (envelope.type === "dev.orion.alert.firing.v1") at.set(`alert:host/${envelope.data.name}`, recordedMs);
		if (envelope.type === "dev.orion.incident.opened.v1") incidentOf.set(envelope.data.incident, envelope.data.key);
		if (envelope.type === "dev.orion.action.requested.v1") incidentOf.set(envelope.data.action, incidentOf.get(envelope.data.incident) ?? "");
		if (envelope.type !== "dev.orion.action.receipt.v1" || envelope.data.phase !== "accepted") continue;
		const began = at.get(incidentOf.get(envelope.data.command) ?? "");
		if (began !== undefined) found.push(recordedMs - began);
	}
	return found;
};

export const commandFigures = async (say: (line: string) => void): Promise<readonly Figure[]> => {
	const command = JSON.stringify([process.execPath, "-e", "setInterval(() => {}, 1000)"]);
	const mesh = await TestMesh.make(`node: host\npolicies: policies\nprocesses:\n  web: {command: ${command}}\n`);
	try {
		policies(mesh);
		await mesh.start(["--level", "N2"]);
		await until("the node is ready", async () => {
			const { nodes } = await mesh.ask<{ nodes: readonly { node: string; presence?: string; state?: string }[] }>("/state/nodes");
			return nodes.some((node) => (node.presence ?? node.state) === "ready") ? true : undefined;
		});
		for (let round = 1; round <= ROUNDS; round++) {
			const name = `bench-${round}`;
			await alert(mesh, name, "firing");
			await alert(mesh, name, "resolved");
			await until(`${name} is answered`, async () => {
				const { incidents } = await mesh.ask<{ incidents: readonly { rule: string }[] }>("/state/incidents?status=open&limit=100");
				return incidents.length === 0 ? true : undefined;
			});
			if (round % 20 === 0) say(`command round ${round} of ${ROUNDS}`);
		}
		const found = await elapsed(mesh);
		const beside = { name: "one fsync of this disk", value: await fsyncMs(mesh.folder), unit: "ms" };
		await mesh.stop();
		return [figure("command.p99", quantile(found, 0.99), "ms", beside, "< 50 ms", (value) => value < 50)];
	} finally {
		await mesh.remove();
	}
};
