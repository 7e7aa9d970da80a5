// Decides which room a file belongs to, what that room may import and use, and what is wrong with a file that does more (RUN-4).
import { bareCode, importsOf, type Source, targetOf } from "./sources.ts";

export interface Room {
	/** Rooms and single files that it may import, beside itself. */
	readonly may: readonly string[];
	/** Modules of Node that it may import; absent: all. What is not here is passed in by a composition. */
	readonly node?: readonly string[];
	/** No I/O, no clock, no randomness, no package: what it decides follows from its arguments. */
	readonly pure?: true;
}

/** What is not drawn here is an error. The longest name that fits a path is its room. */
export const ROOMS: Readonly<Record<string, Room>> = {
	contracts: { may: [], node: [] },
	log: { may: ["contracts"], node: [] },
	core: { may: ["contracts"], node: [], pure: true },
	"core/service": { may: ["contracts", "core", "log/port.ts"], node: ["node:crypto", "node:http", "node:timers/promises", "node:zlib"] },
	// Runs in a browser: of the service it knows the shapes of answers.
	"core/service/page": { may: ["contracts", "core/service"], node: [] },
	broker: { may: ["contracts", "log/port.ts"], node: ["node:crypto", "node:net", "node:stream", "node:tls"] },
	"edge/machines": { may: ["contracts"], node: [], pure: true },
	edge: { may: ["contracts", "edge/machines", "log/port.ts"], node: ["node:crypto", "node:net", "node:stream", "node:tls"] },
	"firmware-bridge": { may: ["contracts"], node: [], pure: true },
	"firmware-bridge/drivers": { may: ["contracts", "firmware-bridge"], node: ["node:net"] },
	// It plays the board that the firmware runs on, for tests and for the demo.
	"firmware-bridge/virtual-board": { may: ["contracts"], node: [] },
	agents: {
		may: [
			"agents/roles",
			"broker",
			"contracts",
			"core",
			"core/service",
			"edge",
			"edge/machines",
			"firmware-bridge",
			"firmware-bridge/drivers",
			"log/port.ts",
			"package.json",
		],
	},
	// Compositions choose the adapters, and only they do.
	"agents/roles": {
		may: [
			"agents",
			"broker",
			"contracts",
			"core",
			"core/service",
			"edge",
			"edge/machines",
			"firmware-bridge",
			"firmware-bridge/drivers",
			"firmware-bridge/virtual-board",
			"log",
			"package.json",
		],
	},
	build: { may: ["package.json"] },
	bin: { may: ["build", "dist"] },
	test: {
		may: [
			"agents",
			"agents/roles",
			"bin",
			"broker",
			"build",
			"contracts",
			"core",
			"core/service",
			"core/service/page",
			"dist",
			"edge",
			"edge/machines",
			"firmware-bridge",
			"firmware-bridge/drivers",
			"firmware-bridge/virtual-board",
			"log",
			"package.json",
		],
	},
};

/** Where each package may be imported; one that is not here may be imported nowhere. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
	"@hono/node-server": ["core/service/"],
	"@peculiar/x509": ["agents/roles/mesh-ca.ts", "test/agents/certificate.test.ts"],
	"@serialport/stream": ["test/firmata/"],
	aedes: ["broker/aedes.ts", "test/bench/bare-aedes.mjs"],
	ajv: ["build/contracts.mjs", "build/safe-stop.mjs"],
	avr8js: ["firmware-bridge/virtual-board/"],
	canonicalize: ["contracts/digest.ts"],
	commander: ["agents/cli/"],
	esbuild: ["build/", "test/"],
	"fast-check": ["test/"],
	"firmata-io": ["firmware-bridge/drivers/firmata-board.ts", "test/firmata/"],
	grammy: ["core/service/telegram/bot-api.ts"],
	hono: ["core/service/"],
	ioredis: ["log/redis-connection.ts", "test/bench/bare-aedes.mjs"],
	jose: ["core/service/keys.ts", "test/"],
	"johnny-five": ["firmware-bridge/drivers/firmata-board.ts", "test/firmata/"],
	"json-schema-to-typescript": ["build/contracts.mjs"],
	mqtt: ["edge/mqtt.ts", "test/"],
	"mqtt-packet": ["broker/aedes.ts", "broker/thanks.ts", "test/"],
	picocolors: ["agents/cli/"],
	"playwright-core": ["test/browser/"],
	"reflect-metadata": ["agents/roles/mesh-ca.ts", "test/agents/certificate.test.ts"],
	serialport: ["firmware-bridge/drivers/serial-line.ts"],
	uuidv7: ["agents/cli/", "agents/roles/", "core/service/", "edge/voice.ts"],
	vitest: ["test/", "vitest.config.ts"],
	yaml: ["build/safe-stop.mjs", "core/service/checked-yaml.ts", "test/"],
};

/** What single files may import of Node beyond their room. */
const NODE_OF_FILES: Readonly<Record<string, readonly string[]>> = {
	"contracts/digest.ts": ["node:crypto"],
	"log/node-files.ts": ["node:fs", "node:fs/promises"],
};

/** What no pure room may name. Waiting is one of it: a decision that waits is two decisions with a race between them. */
const IMPURE: readonly (readonly [RegExp, string])[] = [
	[/(?<![.\w#])(Date|Intl|process|performance|globalThis|crypto|fetch|console|Buffer|require|eval|WebAssembly)\b(?!\s*\??:)/g, "reaches out of its arguments"],
	[/(?<![.\w#])(setTimeout|setInterval|setImmediate|queueMicrotask)\b/g, "has a timer"],
	[/\bMath\s*\.\s*random\b|\{[^}]*\brandom\b[^}]*\}\s*=\s*Math\b/g, "throws dice"],
	[/\.\s*(localeCompare|toLocaleString|toLocaleDateString|toLocaleTimeString|toLocaleLowerCase|toLocaleUpperCase)\b/g, "depends on the language of its host"],
	[/(?<![.\w#])(await|async|Promise)\b/g, "waits"],
];

export const roomOf = (path: string): string | undefined =>
	Object.keys(ROOMS)
		.filter((room) => path === room || path.startsWith(`${room}/`))
		.sort((one, other) => other.length - one.length)[0];

const isAt = (path: string, places: readonly string[]): boolean => places.some((place) => path === place || (place.endsWith("/") && path.startsWith(place)));

const fileFault = (from: string, room: string, to: string): string | undefined => {
	const target = roomOf(to);
	if (target === room || ROOMS[room]?.may.some((allowed) => allowed === to || allowed === target || (target === undefined && to.startsWith(`${allowed}/`))))
		return undefined;
	return `${from} imports ${to}: ${room} may not`;
};

const importFault = (from: string, room: string, specifier: string | undefined): string | undefined => {
	if (specifier === undefined) return ["build", "test"].includes(room) ? undefined : `${from} imports something that is only known when it runs`;
	const target = targetOf(from, specifier);
	if (target.kind === "file") return fileFault(from, room, target.path);
	if (target.kind === "package") return isAt(from, PACKAGES[target.name] ?? []) ? undefined : `${from} imports the package ${target.name}, which is not for it`;
	const may = ROOMS[room]?.node;
	return may === undefined || may.includes(target.name) || NODE_OF_FILES[from]?.includes(target.name)
		? undefined
		: `${from} imports ${target.name}: ${room} is free of it`;
};

/** Everything that is wrong with the imports of one file, and, in a pure room, with what it reaches for. */
export const faultsOf = ({ path, text }: Source): readonly string[] => {
	const room = roomOf(path);
	if (room === undefined) return [`${path} is in no room`];
	const arrows = importsOf(text).map((specifier) => importFault(path, room, specifier));
	const code = ROOMS[room]?.pure === true ? bareCode(text) : "";
	const reaches = IMPURE.flatMap(([form, what]) => [...code.matchAll(form)].map((match) => `${path} ${what}: ${match[1] ?? match[0]}`));
	return [...arrows, ...reaches].filter((fault) => fault !== undefined);
};
