// Measures how long the mesh and its agent take to be there, and what the agent weighs, beside a Node process that does nothing.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { TestMesh, until } from "../support/mesh.ts";
import { type Figure, figure } from "./figures.ts";
import { median } from "./load.ts";

const ROUNDS = 5;

const rssMegabytes = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024;

const childrenOf = (pid: number): readonly number[] =>
	readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number));

/** A bare Node: how long until its first line, and what it weighs while it waits. */
const bareNode = async (): Promise<{ readonly readyMs: number; readonly megabytes: number }> => {
	const beganMs = performance.now();
	const child = spawn(process.execPath, ["-e", "process.stdout.write('ready\\n'); setInterval(() => {}, 1000)"], { stdio: ["ignore", "pipe", "ignore"] });
	await new Promise<void>((resolve) => {
		child.stdout.once("data", () => resolve());
	});
	const readyMs = performance.now() - beganMs;
	const megabytes = child.pid === undefined ? Number.NaN : rssMegabytes(child.pid);
	child.kill("SIGKILL");
	return { readyMs, megabytes };
};

const restart = async (mesh: TestMesh): Promise<{ readonly upMs: number; readonly agentMs: number }> => {
	const beganMs = performance.now();
	await mesh.start();
	const upMs = performance.now() - beganMs;
	const agentMs = await until("the agent part is reported", () => mesh.parts.find(({ part }) => part === "agent")?.ms);
	return { upMs, agentMs };
};

export const processFigures = async (say: (line: string) => void): Promise<readonly Figure[]> => {
	const mesh = await TestMesh.make("node: host\n");
	const ups: number[] = [];
	const agents: number[] = [];
	const bare: { readyMs: number; megabytes: number }[] = [];
	let agentMegabytes = Number.NaN;
	try {
		await mesh.start();
		await mesh.stop();
		for (let round = 1; round <= ROUNDS; round++) {
			bare.push(await bareNode());
			const { upMs, agentMs } = await restart(mesh);
			ups.push(upMs);
			agents.push(agentMs);
			const agent = mesh.pid === undefined ? undefined : childrenOf(mesh.pid)[0];
			if (round === ROUNDS && agent !== undefined) {
				const seen = await until("measurements arrive", async () => {
					const { nodes } = await mesh.ask<{ nodes: readonly { metrics?: unknown; metricsAgeMs?: number }[] }>("/state/nodes");
					return nodes.some((node) => node.metricsAgeMs !== undefined || node.metrics !== undefined) ? true : undefined;
				});
				if (seen) agentMegabytes = rssMegabytes(agent);
			}
			await mesh.stop();
			say(`start round ${round} of ${ROUNDS}: up ${Math.round(upMs)} ms, agent ${Math.round(agentMs)} ms`);
		}
	} finally {
		await mesh.remove();
	}
	const besideMs = { name: "bare node, first line", value: median(bare.map(({ readyMs }) => readyMs)), unit: "ms" };
	const besideMegabytes = { name: "bare node, waiting", value: median(bare.map(({ megabytes }) => megabytes)), unit: "MB" };
	return [
		figure("up.ready", median(ups), "ms", besideMs, "< 3000 ms on an existing folder", (value) => value < 3_000),
		figure("agent.ready", median(agents), "ms", besideMs, "< 1500 ms", (value) => value < 1_500),
		figure("agent.rss", agentMegabytes, "MB", besideMegabytes, "< 80 MB", (value) => value < 80),
	];
};
