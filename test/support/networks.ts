// Connects tests to network namespaces: one for core and one for each other machine, wired to core's alone, cut and healed link by link; nothing of it reaches the host's own network.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./mesh.ts";
import { Relay } from "./relay.ts";
import { removeFolder } from "./remove-folder.ts";

/** `up` is from the machine to core. */
export type Way = "up" | "down";

export const CORE_ADDRESS = "10.77.0.1";
/** Nobody's: what is sent there goes over the wire and is taken by no one. */
const NOBODY = "02:00:00:00:0d:ad";
const FIRST_HOST = 11;
const IN_CORE = "core";

/** From a path, which every namespace has, to a port of the namespace in which it runs. */
const RELAY = `const net = require("node:net");
net.createServer((from) => {
	const to = net.connect(Number(process.argv[2]), "127.0.0.1");
	for (const [one, other] of [[from, to], [to, from]]) one.on("error", () => undefined).on("close", () => other.destroySoon()).pipe(other);
}).listen(process.argv[1], () => console.log("open"));
process.stdin.resume().on("end", () => process.exit(0));`;

interface Holder {
	readonly process: ChildProcess;
	/** As the kernel names it. */
	readonly namespace: string;
}

/** A process that does nothing but stand for its namespace, and ends with the process of the test however that ends. */
const hold = (command: readonly string[]): Promise<Holder> => {
	const [program = "", ...args] = command;
	const child = spawn(program, [...args, "sh", "-c", "ip link set lo up && echo open && exec cat"], { stdio: "pipe" });
	return new Promise((resolve, reject) => {
		let said = "";
		child.stderr.on("data", (chunk: Buffer) => {
			said += chunk.toString();
		});
		child.stdout.once("data", () => resolve({ process: child, namespace: readlinkSync(`/proc/${child.pid}/ns/net`) }));
		child.once("error", reject);
		child.once("close", (code) => reject(new Error(`${program} ended with ${code}: ${said.trim()}`)));
	});
};

const inside = (pid: number | undefined): readonly string[] => ["nsenter", "-t", String(pid), "-U", "-n", "--preserve-credentials"];

/** Processes that live in one of these namespaces. */
const inhabitants = (namespaces: readonly string[]): readonly number[] =>
	readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.map(Number)
		.filter((pid) => {
			try {
				return namespaces.includes(readlinkSync(`/proc/${pid}/ns/net`));
			} catch {
				return false;
			}
		});

export class Networks {
	readonly #folder = mkdtempSync(join(tmpdir(), "orion-networks-"));
	readonly #holders = new Map<string, Holder>();
	readonly #addresses = new Map<string, string>();
	readonly #relays: Relay[] = [];

	private constructor() {}

	/** A machine for each name, beside that of core. Rejects with the reason where this host allows no namespaces. */
	static async open(machines: readonly string[]): Promise<Networks> {
		const networks = new Networks();
		try {
			networks.#holders.set(IN_CORE, await hold(["unshare", "-r", "-n"]));
			for (const [index, machine] of machines.entries()) await networks.#wire(machine, `wire${index}`, `10.77.0.${FIRST_HOST + index}`);
			return networks;
		} catch (error) {
			await networks.close();
			throw error;
		}
	}

	/** The command that starts another one on that machine. */
	within(machine = IN_CORE): readonly string[] {
		const holder = this.#holders.get(machine);
		if (holder === undefined) throw new Error(`there is no machine ${machine}`);
		return inside(holder.process.pid);
	}

	#run(machine: string, ...command: readonly string[]): string {
		const [program = "", ...args] = [...this.within(machine), ...command];
		return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
	}

	async #wire(machine: string, wire: string, address: string): Promise<void> {
		const holder = await hold([...this.within(), "unshare", "-n"]);
		this.#holders.set(machine, holder);
		this.#addresses.set(machine, address);
		this.#run(IN_CORE, "ip", "link", "add", this.#wireOf(machine), "type", "veth", "peer", "name", wire, "netns", String(holder.process.pid));
		this.#run(IN_CORE, "ip", "addr", "add", CORE_ADDRESS, "peer", address, "dev", this.#wireOf(machine));
		this.#run(IN_CORE, "ip", "link", "set", this.#wireOf(machine), "up");
		this.#run(machine, "ip", "link", "set", wire, "name", "wire");
		this.#run(machine, "ip", "addr", "add", address, "peer", CORE_ADDRESS, "dev", "wire");
		this.#run(machine, "ip", "link", "set", "wire", "up");
	}

	/** What an interface may be called is short. */
	#wireOf(machine: string): string {
		return `to-${machine}`;
	}

	/** Wholly: the cable is out, and both ends may see it. One way: what is sent goes to nobody, and nobody is told. */
	cut(machine: string, way?: Way): void {
		if (way === undefined) this.#run(IN_CORE, "ip", "link", "set", this.#wireOf(machine), "down");
		else this.#neighbour(machine, way, "replace", "lladdr", NOBODY, "nud", "permanent");
	}

	heal(machine: string, way?: Way): void {
		if (way === undefined) this.#run(IN_CORE, "ip", "link", "set", this.#wireOf(machine), "up");
		else this.#neighbour(machine, way, "del");
	}

	#neighbour(machine: string, way: Way, verb: "replace" | "del", ...what: readonly string[]): void {
		const address = this.#addresses.get(machine) ?? "";
		if (way === "up") this.#run(machine, "ip", "neigh", verb, CORE_ADDRESS, ...what, "dev", "wire");
		else this.#run(IN_CORE, "ip", "neigh", verb, address, ...what, "dev", this.#wireOf(machine));
	}

	/** Makes a loopback port of core's machine one of the test's own, under the same number. */
	async reach(port: number): Promise<void> {
		const path = join(this.#folder, String(port));
		const [program = "", ...args] = [...this.within(), process.execPath, "-e", RELAY, path, String(port)];
		const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
		await new Promise((resolve, reject) => {
			child.stdout.once("data", resolve);
			child.once("close", (code) => reject(new Error(`the relay ended with ${code}`)));
		});
		this.#relays.push(await Relay.open(port, path));
	}

	/** Ends whatever still lives there; the namespaces and their wires go with the last of it. */
	async close(): Promise<void> {
		for (const relay of this.#relays.splice(0)) await relay.close();
		const namespaces = [...this.#holders.values()].map(({ namespace }) => namespace);
		for (const pid of inhabitants(namespaces)) process.kill(pid, "SIGKILL");
		await until("nobody lives there any more", () => (inhabitants(namespaces).length === 0 ? true : undefined));
		removeFolder(this.#folder);
	}
}
