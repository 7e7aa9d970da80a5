// Completes package-lock.json after `npm install`: packages for other platforms that the registry at hand does not serve are left out by npm, and `npm ci` then
// refuses the lock everywhere. They are entered with what their name says: version, platform, processor; npm fetches them only where they are needed.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const file = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const lock = JSON.parse(readFileSync(file, "utf8"));
const SYSTEMS = ["android", "darwin", "freebsd", "linux", "openharmony", "openbsd", "netbsd", "sunos", "aix", "win32"];
const PROCESSORS = ["arm64", "x64", "ia32", "ppc64", "riscv64", "s390x", "loong64", "mips64el", "arm"];

const placeOf = (name) => {
	const words = name.split("/").at(-1).split("-");
	const os = SYSTEMS.find((system) => words.includes(system));
	const cpu = PROCESSORS.find((processor) => words.includes(processor));
	const libc = words.some((word) => word.startsWith("musl")) ? "musl" : words.includes("gnu") ? "glibc" : undefined;
	return os === undefined || cpu === undefined ? undefined : { cpu: [cpu], os: [os], ...(os === "linux" && libc !== undefined ? { libc: [libc] } : {}) };
};

let added = 0;
for (const [path, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
	for (const [name, version] of Object.entries(optionalDependencies)) {
		const at = `node_modules/${name}`;
		if (lock.packages[at] !== undefined || lock.packages[`${path}/${at}`] !== undefined) continue;
		const place = placeOf(name);
		if (place === undefined || !/^\d/.test(version)) {
			process.stderr.write(`${name}@${version} is missing in the lock and its name does not say for which platform it is\n`);
			process.exitCode = 1;
			continue;
		}
		lock.packages[at] = { version, ...place, ...(dev ? { dev: true } : {}), optional: true };
		added += 1;
	}
}
const [own, ...rest] = Object.entries(lock.packages);
lock.packages = Object.fromEntries([own, ...rest.sort(([left], [right]) => (left < right ? -1 : 1))]);
writeFileSync(file, `${JSON.stringify(lock, null, "\t")}\n`);
process.stdout.write(`package-lock.json: ${added} entered\n`);
