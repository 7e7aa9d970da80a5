// Decides what stands on a machine that has a role of the mesh: its user, its files with their text, its units; nothing is touched here.
import { polkitRule, RULES_FOLDERS, rulePath } from "./polkit.ts";

export const ROLES = ["core", "broker", "agent", "robot"] as const;
export type Role = (typeof ROLES)[number];

export type Step =
	| { readonly kind: "user"; readonly name: string }
	| { readonly kind: "folder"; readonly path: string; readonly mode: number }
	| { readonly kind: "file"; readonly path: string; readonly mode: number; readonly text: string }
	/** The guard, built here by the machine's own C compiler. */
	| { readonly kind: "guard"; readonly path: string }
	/** Units are read anew. */
	| { readonly kind: "reload" }
	/** Starts now and at each boot. */
	| { readonly kind: "unit"; readonly name: string };

export type RedisChoice =
	| { readonly kind: "own"; readonly program: string; readonly password: string }
	| { readonly kind: "named"; readonly url: string }
	| { readonly kind: "none" };

export interface Wanted {
	readonly role: Role;
	/** The program node, and the folder of this package: both in absolute form. */
	readonly node: string;
	readonly home: string;
	/** Text of each unit by name, with its @PLACES@. */
	readonly units: Readonly<Record<string, string>>;
	/** More words for the command line of core or broker. */
	readonly args: readonly string[];
	readonly redis: RedisChoice;
	readonly model: string;
	/** Units that the node's user may restart and stop, and the shipped rule that says so; absent: polkit is told nothing. */
	readonly looksAfter?: { readonly units: readonly string[]; readonly rule: string };
}

export const SETTINGS = "/etc/orion";
export const REDIS_CONF = `${SETTINGS}/redis.conf`;
/** Beside the port that a Redis of the system has. */
const REDIS_PORT = 6_390;
const UNITS = "/etc/systemd/system";
const LIBRARY = "/usr/local/lib/orion";

const UNITS_OF: Readonly<Record<Role, readonly string[]>> = {
	core: ["orion-core.service"],
	broker: ["orion-broker.service"],
	agent: ["orion-agent.service"],
	robot: ["orion-guard.service", "orion-actuator.service", "orion-robot.service"],
};

/** What a role keeps is made by its units, and stays when they go. */
export const stateFolders = (role: Role): readonly string[] => (role === "core" ? ["/var/lib/orion-core", "/var/lib/orion-redis"] : [`/var/lib/orion-${role}`]);

const redisConf = (password: string): string =>
	[
		"# Made by `orion install --role core`: loopback only, nothing is ever thrown away, what is written is kept.",
		"bind 127.0.0.1",
		`port ${REDIS_PORT}`,
		"protected-mode yes",
		`requirepass ${password}`,
		"dir /var/lib/orion-redis",
		"appendonly yes",
		"appendfsync everysec",
		'save ""',
		"maxmemory-policy noeviction",
		"daemonize no",
		"",
	].join("\n");

const redisUrl = (redis: RedisChoice): string | undefined => {
	if (redis.kind === "own") return `redis://:${redis.password}@127.0.0.1:${REDIS_PORT}`;
	return redis.kind === "named" ? redis.url : undefined;
};

/** Read by systemd as root, before the service becomes its own user. */
const environmentOf = ({ args, redis }: Wanted): string => {
	const url = redisUrl(redis);
	const lines = ["# Made by `orion install`. What is changed here stays; it counts at the next start.", `ORION_ARGS=${args.join(" ")}`];
	return `${[...lines, ...(url === undefined ? [] : [`ORION_REDIS=${url}`])].join("\n")}\n`;
};

const filled = (text: string, { node, home, model, redis }: Wanted): string =>
	text
		.replaceAll("@NODE@", node)
		.replaceAll("@HOME@", home)
		.replaceAll("@LIB@", LIBRARY)
		.replaceAll("@MODEL@", model)
		.replaceAll("@REDIS@", redis.kind === "own" ? redis.program : "");

const rulesOf = ({ role, looksAfter }: Wanted): readonly Step[] => {
	if (looksAfter === undefined) return [];
	const user = `orion-${role}`;
	const folders = RULES_FOLDERS.map((path): Step => ({ kind: "folder", path, mode: 0o755 }));
	return [...folders, { kind: "file", path: rulePath(user), mode: 0o644, text: polkitRule(looksAfter.rule, user, looksAfter.units) }];
};

/** In the order in which they are carried out; the reverse takes them back. */
export const planOf = (wanted: Wanted): readonly Step[] => {
	const { role, redis } = wanted;
	const names = [...(role === "core" && redis.kind === "own" ? ["orion-redis.service"] : []), ...UNITS_OF[role]];
	const units = names.map((name): Step => ({ kind: "file", path: `${UNITS}/${name}`, mode: 0o644, text: filled(wanted.units[name] ?? "", wanted) }));
	const environment: readonly Step[] =
		role === "core" || role === "broker" ? [{ kind: "file", path: `${SETTINGS}/${role}.env`, mode: 0o600, text: environmentOf(wanted) }] : [];
	return [
		{ kind: "user", name: `orion-${role}` },
		...environment,
		...(redis.kind === "own" && role === "core" ? [{ kind: "file", path: REDIS_CONF, mode: 0o600, text: redisConf(redis.password) } as const] : []),
		...(role === "robot" ? [{ kind: "folder", path: LIBRARY, mode: 0o755 } as const, { kind: "guard", path: `${LIBRARY}/linux-guard` } as const] : []),
		...rulesOf(wanted),
		...units,
		{ kind: "reload" },
		...names.map((name): Step => ({ kind: "unit", name })),
	];
};
