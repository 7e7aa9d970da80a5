// Connects partition rounds to one node: the real agent in a process of its own, behind a network of its own.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, type TestMesh } from "../support/mesh.ts";
import { NodeProcess } from "../support/node-process.ts";
import { FaultProxy } from "../support/proxy.ts";

export class Island extends NodeProcess {
	readonly proxy: FaultProxy;

	private constructor(name: string, folder: string, proxy: FaultProxy) {
		super(name, folder, [process.execPath, join(ROOT, "dist/agent.js"), "--state", folder]);
		this.proxy = proxy;
	}

	static async make(mesh: TestMesh, name: string): Promise<Island> {
		const proxy = await FaultProxy.open(() => mesh.mqttPort);
		const folder = join(mesh.folder, "islands", name);
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		const island = new Island(name, folder, proxy);
		const { username, password } = await mesh.ask<{ username: string; password: string }>("/nodes", { method: "POST", body: JSON.stringify({ node: name }) });
		const { mesh: id, coreKeys } = JSON.parse(readFileSync(join(mesh.data, "agent/node.json"), "utf8")) as { mesh: string; coreKeys: unknown };
		const config = {
			schema: "orion.node-config/1",
			mesh: id,
			node: name,
			url: `mqtt://127.0.0.1:${proxy.port}`,
			username,
			password,
			coreKeys,
			processes: island.processes(),
			host: {},
		};
		writeFileSync(join(folder, "node.json"), JSON.stringify(config), { mode: 0o600 });
		return island;
	}

	override async stop(): Promise<void> {
		await super.stop();
		await this.proxy.close();
	}
}
