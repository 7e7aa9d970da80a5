// Connects `orion install` and `orion uninstall` to a machine: what would be made, what was made, what is kept, and what to do next.
import { randomBytes } from "node:crypto";
import { OrionError } from "../../contracts/errors.ts";
import { foreignFiles, install, installedRole, type Machine, type Outcome, type Told, uninstall } from "../install/carry-out.ts";
import { planOf, REDIS_CONF, type RedisChoice, type Role, type Step, stateFolders, type Wanted } from "../install/plan.ts";
import { RULES_FOLDERS, rulePath } from "../install/polkit.ts";
import { isCard, refusals, SERVO_BUS, VENDOR_PORT } from "../install/refusals.ts";
import { type HostFacts, hostFacts } from "../roles/host-facts.ts";
import { hostMachine, nodeProgram, packageHome, shippedRule, shippedUnits } from "../roles/host-machine.ts";
import { NODE_FILE } from "../roles/node-certificate.ts";
import { parseNodeConfig } from "../roles/node-config.ts";
import { VERSION } from "../roles/version.ts";
import type { Session } from "./session.ts";

export interface InstallOptions {
	readonly role: Role;
	readonly root: string;
	readonly dryRun?: boolean;
	readonly listen?: string;
	/** false: --no-redis */
	readonly redis?: string | false;
	readonly core?: string;
	readonly name?: string;
	readonly mesh?: string;
	readonly robotModel: string;
}

export interface UninstallOptions {
	readonly role: Role;
	readonly root: string;
	readonly purge?: boolean;
}

const SECRET_BYTES = 24;
const UNITS = ["redis", "core", "broker", "agent", "guard", "actuator", "robot"].map((name) => `orion-${name}.service`);
/** What systemd hands on as it stands, without quotes. */
const WORD = /^[A-Za-z0-9.:_/@[\]-]+$/;
const ADDRESS = /^rediss?:\/\/[^\s"'\\$]+$/;

const usage = (detail: string): OrionError => new OrionError("USAGE", { detail });

const word = (flag: string, text: string): string => {
	if (!WORD.test(text)) throw usage(`${flag} is a word without spaces and quotes`);
	return text;
};

const argsOf = ({ role, listen, name, mesh }: InstallOptions): readonly string[] => {
	if (role === "core") return listen === undefined ? [] : ["--listen", word("--listen", listen)];
	if (role !== "broker") return [];
	if (name === undefined || mesh === undefined) throw usage("a broker needs --core, --name and --mesh; `orion broker add NAME` on core prints them");
	return ["--name", word("--name", name), "--mesh", word("--mesh", mesh)];
};

/** Installed once more, the Redis that is there keeps its password. */
const redisOf = async ({ role, redis, core }: InstallOptions, machine: Machine, facts: HostFacts): Promise<RedisChoice> => {
	const url = role === "broker" ? core : redis;
	if (url !== undefined && url !== false) {
		if (!ADDRESS.test(url)) throw usage("the address of Redis looks like redis://user:password@host:6379");
		return { kind: "named", url };
	}
	if (role === "broker") throw usage("a broker needs --core, --name and --mesh; `orion broker add NAME` on core prints them");
	if (role !== "core" || redis === false) return { kind: "none" };
	const before = (await machine.read(REDIS_CONF))?.match(/^requirepass (\S+)$/m)?.[1];
	return { kind: "own", program: facts.program("redis-server") ?? "/usr/bin/redis-server", password: before ?? randomBytes(SECRET_BYTES).toString("hex") };
};

/** What a node of this machine is configured to look after. Nothing any more: then a rule that is there shall grant nothing. */
const unitsOf = async (role: Role, machine: Machine): Promise<Pick<Wanted, "looksAfter">> => {
	if (role !== "agent" && role !== "robot") return {};
	const file = `/var/lib/orion-${role}/${NODE_FILE}`;
	const text = await machine.read(file).catch((error: unknown) => {
		// Who only asks what would be made may not look there.
		if ((error as NodeJS.ErrnoException).code === "EACCES") return undefined;
		throw error;
	});
	const systemd = text === undefined ? undefined : parseNodeConfig(file, text).systemd;
	const units = systemd?.user === true ? [] : (systemd?.units ?? []);
	const manifest = await installedRole(machine, role);
	const wasTold = manifest?.made.some((made) => made.kind === "file" && made.path === rulePath(`orion-${role}`)) === true;
	return units.length > 0 || wasTold ? { looksAfter: { units, rule: await shippedRule() } } : {};
};

const wantedOf = async (options: InstallOptions, machine: Machine, facts: HostFacts): Promise<Wanted> => ({
	role: options.role,
	node: await nodeProgram(),
	home: await packageHome(),
	units: await shippedUnits(UNITS),
	args: argsOf(options),
	redis: await redisOf(options, machine, facts),
	model: options.robotModel,
	...(await unitsOf(options.role, machine)),
});

const refuse = async ({ role, node, home, redis, looksAfter }: Wanted, isRunning: boolean, facts: HostFacts): Promise<void> => {
	const isRobot = role === "robot";
	const found = refusals({
		role,
		node,
		home,
		isRunning,
		isRoot: facts.uid === 0,
		hasSystemd: facts.exists("/run/systemd/system"),
		redis: redis.kind,
		hasRedisServer: facts.program("redis-server") !== undefined,
		hasCompiler: facts.program("cc") !== undefined,
		looksAfter: looksAfter?.units ?? [],
		hasPolkit: facts.exists(RULES_FOLDERS[1]),
		vendorListens: isRobot && (await facts.listens(VENDOR_PORT)),
		busHolders: isRobot ? await facts.holders(SERVO_BUS) : [],
	});
	if (found.length > 0) throw new OrionError("INSTALL_REFUSED", { detail: found.join("; ") });
};

const NEXT: Readonly<Record<Role, readonly string[]>> = {
	core: ["systemctl status orion-core", "sudo orion status --data /var/lib/orion-core", "sudo orion node add NAME --data /var/lib/orion-core"],
	broker: ["systemctl status orion-broker"],
	agent: ["sudo -u orion-agent orion join ADDRESS TOKEN --state /var/lib/orion-agent", "sudo systemctl restart orion-agent"],
	robot: [
		"sudo -u orion-robot orion join ADDRESS TOKEN --state /var/lib/orion-robot",
		"sudo systemctl restart orion-robot",
		"the guard keeps real legs off; what walks is the simulated robot; real legs walk after their rehearsal (orion robot calibrate)",
	],
};

const saysOf = (step: Step): string => {
	if (step.kind === "user" || step.kind === "unit") return `${step.kind} ${step.name}`;
	return step.kind === "reload" ? "units are read anew" : step.path;
};

interface Line {
	readonly outcome: Outcome | "would";
	readonly what: string;
	readonly why?: string;
}

const teller = (session: Session): { readonly steps: Line[]; readonly tell: Told } => {
	const steps: Line[] = [];
	return {
		steps,
		tell: (outcome, what, why) => {
			steps.push({ outcome, what, ...(why === undefined ? {} : { why }) });
			if (!session.json) session.say(`  ${outcome.padEnd(8)}${what}${why === undefined ? "" : session.paint.dim(` (${why})`)}`);
		},
	};
};

const mayOf = (role: Role, units: readonly string[]): string =>
	units.length === 0
		? `orion: orion-${role} may restart and stop no unit any more: its configuration lists none.`
		: `orion: orion-${role} may restart and stop ${units.join(", ")}, and nothing else: its configuration lists ${units.length === 1 ? "it" : "them"}.`;

const diskOf = async (facts: HostFacts, role: Role): Promise<{ readonly folder: string; readonly device?: string; readonly isCard: boolean }> => {
	const [folder = "/var/lib"] = stateFolders(role);
	const device = await facts.device(folder);
	return { folder, ...(device === undefined ? {} : { device }), isCard: device !== undefined && isCard(device) };
};

export const runInstall = async (session: Session, options: InstallOptions, facts: HostFacts = hostFacts()): Promise<number> => {
	const { role, root, dryRun = false } = options;
	const machine = hostMachine(root);
	const wanted = await wantedOf(options, machine, facts);
	const plan = planOf(wanted);
	await refuse(wanted, machine.running !== undefined && !dryRun, facts);
	const disk = await diskOf(facts, role);
	const { steps, tell } = teller(session);
	if (!session.json)
		session.say(
			`${session.paint.bold(`${role} ${VERSION}`)}${root === "/" ? "" : ` under ${root}`}, keeps what it knows in ${disk.folder} on ${disk.device ?? "an unknown disk"}`,
		);
	if (disk.isCard && (role === "core" || role === "broker"))
		session.note(
			`orion: ${disk.device ?? "that disk"} is an SD card. Every record is synced to it, and cards wear out and lie about what they have: put ${disk.folder} on an SSD or a USB disk.`,
		);
	if (wanted.looksAfter !== undefined) session.note(mayOf(role, wanted.looksAfter.units));
	if (dryRun) {
		const foreign = await foreignFiles(machine, await installedRole(machine, role), plan);
		for (const step of plan) {
			const what = saysOf(step);
			const why = foreign.includes(what) ? "is there and is not ours: refused" : undefined;
			steps.push({ outcome: "would", what, ...(why === undefined ? {} : { why }) });
			if (!session.json) session.say(`  would   ${what}${why === undefined ? "" : ` (${why})`}`);
		}
	} else await install(machine, role, VERSION, plan, tell);
	if (session.json) session.print({ schema: "orion.install/1", role, version: VERSION, root, dryRun, disk, steps, next: dryRun ? [] : NEXT[role] });
	else if (!dryRun) session.say(`\nNext:\n${NEXT[role].map((line) => `  ${line}`).join("\n")}\n\nTake it back: sudo orion uninstall --role ${role}`);
	return 0;
};

export const runUninstall = async (session: Session, { role, root, purge = false }: UninstallOptions, facts: HostFacts = hostFacts()): Promise<number> => {
	const machine = hostMachine(root);
	if (machine.running !== undefined && facts.uid !== 0) throw new OrionError("INSTALL_REFUSED", { detail: "nothing was taken back: run it with sudo" });
	const { steps, tell } = teller(session);
	const found = await uninstall(machine, role, purge, tell);
	if (!found)
		throw new OrionError("NOT_FOUND", { what: "installed role", id: role, detail: "Nothing was made here by `orion install`, so nothing is taken back." });
	if (session.json) session.print({ schema: "orion.uninstall/1", role, root, steps });
	return 0;
};
