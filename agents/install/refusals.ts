// Decides why a machine cannot have a role now, and what on it a person should know first; what is so comes as arguments.
import type { RedisChoice, Role } from "./plan.ts";

export interface Ground {
	readonly role: Role;
	/** False: a tree under another root, of which nothing runs. */
	readonly isRunning: boolean;
	readonly isRoot: boolean;
	readonly hasSystemd: boolean;
	readonly node: string;
	readonly home: string;
	readonly redis: RedisChoice["kind"];
	readonly hasRedisServer: boolean;
	readonly hasCompiler: boolean;
	/** Units of the system that the node's configuration lists. */
	readonly looksAfter: readonly string[];
	readonly hasPolkit: boolean;
	/** What may move a robot beside us. */
	readonly vendorListens: boolean;
	readonly busHolders: readonly { readonly pid: number; readonly name: string }[];
}

export const VENDOR_PORT = 5_002;
export const SERVO_BUS = "/dev/i2c-1";
/** As the kernel cuts it to 15 characters. */
export const GUARD = "linux-guard";

/** Units do not see the homes of people. */
const isInAHome = (path: string): boolean => /^\/(home|root)\//.test(path);

const ofRobot = ({ hasCompiler, vendorListens, busHolders }: Ground): readonly string[] => {
	const others = busHolders.filter(({ name }) => name !== GUARD);
	return [
		...(hasCompiler ? [] : ["the guard is built here, and there is no C compiler: apt-get install gcc libc6-dev"]),
		...(vendorListens
			? [`something listens on port ${VENDOR_PORT}, as the vendor's server does; two programs must never move the same legs: stop it first`]
			: []),
		...others.map(({ pid, name }) => `process ${pid} (${name}) has ${SERVO_BUS} open; two programs must never move the same legs: stop it first`),
	];
};

/** Each one a reason; none: it may begin. */
export const refusals = (ground: Ground): readonly string[] => {
	const { role, isRunning, isRoot, hasSystemd, node, home, redis, hasRedisServer, looksAfter, hasPolkit } = ground;
	const ofMachine = isRunning
		? [
				...(isRoot ? [] : ["it makes a user and units: run it with sudo"]),
				...(hasSystemd ? [] : ["systemd does not run here"]),
				...[node, home]
					.filter(isInAHome)
					.map((path) => `${path} is in a home, where services may not look: install Node for everybody, and the package with sudo npm install -g`),
			]
		: [];
	return [
		...ofMachine,
		...(role === "core" && redis === "own" && !hasRedisServer
			? ["there is no redis-server: apt-get install redis-server, or name one with --redis URL, or go without with --no-redis"]
			: []),
		...(isRunning && looksAfter.length > 0 && !hasPolkit
			? [`it is to look after ${looksAfter.join(" and ")}, and there is no polkit to let it: apt-get install polkitd`]
			: []),
		...(role === "robot" ? ofRobot(ground) : []),
	];
};

/** mmcblk0p2: the card in the slot of a Pi. */
export const isCard = (device: string): boolean => /(^|\/)mmcblk\d/.test(device);
