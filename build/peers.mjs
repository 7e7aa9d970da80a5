// Fetches programs of Debian that tests and benches measure against: downloaded and unpacked into .cache/, never installed, never started as a service.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A bundled program does not lie where its source does. */
const root = process.env.ORION_ROOT ?? fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, ".cache/peers");

const PEERS = {
	mosquitto: {
		packages: ["mosquitto", "libcjson1", "libwebsockets17", "libdlt2", "libwrap0", "libnsl2", "libuv1", "libev4", "libcap2"],
		program: "usr/sbin/mosquitto",
	},
	// What a script says something to the mesh with.
	mosquitto_pub: { packages: ["mosquitto-clients", "libmosquitto1", "libcjson1", "libssl3"], program: "usr/bin/mosquitto_pub" },
	// Two ends of a serial line that no hardware is needed for.
	socat: { packages: ["socat", "libwrap0", "libnsl2", "libtirpc3", "libssl3"], program: "usr/bin/socat" },
	avrdude: { packages: ["avrdude", "libftdi1", "libhidapi-libusb0", "libusb-0.1-4", "libusb-1.0-0", "libelf1"], program: "usr/bin/avrdude" },
	// A library of another emulator: its headers are what is looked for.
	"libsimavr-dev": { packages: ["libsimavr-dev", "libsimavr2", "libelf1"], program: "usr/include/simavr/sim_avr.h" },
	chromium: {
		// What else it needs depends on what the host has: apt is asked.
		packages: ["chromium", "fonts-dejavu-core"],
		withMissing: true,
		program: "usr/lib/chromium/chromium",
		libraries: ["pulseaudio"],
	},
	"redis-server": {
		packages: ["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1"],
		program: "usr/bin/redis-server",
	},
	// What looks at units, and what tells a service manager; both from one place.
	"systemd-analyze": {
		packages: ["systemd", "libsystemd-shared"],
		withMissing: true,
		program: "usr/bin/systemd-analyze",
		libraries: ["systemd"],
		home: "systemd",
	},
	"systemd-notify": {
		packages: ["systemd", "libsystemd-shared"],
		withMissing: true,
		program: "usr/bin/systemd-notify",
		libraries: ["systemd"],
		home: "systemd",
	},
	// A library: its folder goes into PYTHONPATH.
	"python3-redis": {
		packages: ["python3-redis", "python3-async-timeout", "python3-deprecated", "python3-packaging", "python3-wrapt"],
		program: "usr/lib/python3/dist-packages/redis/__init__.py",
	},
};

const onPath = (name) => {
	for (const place of [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/bin"])
		if (place !== "" && existsSync(join(place, name))) return join(place, name);
	return undefined;
};

const apt = (cwd, args) => execFileSync("apt-get", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 24 });

/** The packages and, where wanted, those of their dependencies that this host does not have. */
const wanted = (cwd, options, { packages, withMissing = false }) => {
	if (!withMissing) return packages;
	const plan = apt(cwd, [...options, "-s", "-o", "Debug::NoLocking=1", "--no-install-recommends", "install", ...packages]);
	return [...new Set([...packages, ...[...plan.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name)])];
};

const download = (home, peer) => {
	const debs = join(home, "debs");
	mkdirSync(debs, { recursive: true });
	try {
		apt(debs, ["download", ...wanted(debs, [], peer)]);
	} catch {
		// The package lists of a bare machine are empty: they are fetched into the cache too, not into the host.
		const lists = ["-o", `Dir::State::lists=${join(home, "lists")}`, "-o", `Dir::Cache=${join(home, "cache")}`];
		mkdirSync(join(home, "lists/partial"), { recursive: true });
		mkdirSync(join(home, "cache/archives/partial"), { recursive: true });
		apt(debs, [...lists, "update"]);
		apt(debs, [...lists, "download", ...wanted(debs, lists, peer)]);
	}
};

/** Where it is in there; older packages have it beside usr. */
const programOf = (home, { program }) => [program, program.replace(/^usr\//, "")].map((path) => join(home, path)).find((path) => existsSync(path));

/** Unpacked beside its place and moved there whole, so that nobody ever sees half of it. */
const fetchPeer = (name, home, peer) => {
	const beside = `${home}.${process.pid}`;
	try {
		download(beside, peer);
		for (const deb of readdirSync(join(beside, "debs"))) execFileSync("dpkg-deb", ["-x", join(beside, "debs", deb), beside]);
		rmSync(join(beside, "debs"), { recursive: true, force: true });
		if (programOf(beside, peer) === undefined) throw new Error(`its packages do not hold ${peer.program}`);
		renameSync(beside, home);
	} catch (error) {
		rmSync(beside, { recursive: true, force: true });
		// Somebody else may have been faster.
		if (programOf(home, peer) === undefined) throw new Error(`${name} cannot be had: ${error instanceof Error ? error.message : error}`);
	}
};

/** { command, env } to start a peer with; throws with the reason when it cannot be had. */
export const peer = (name) => {
	const installed = onPath(name);
	if (installed !== undefined) return { command: installed, env: process.env };
	const known = PEERS[name];
	const home = join(folder, known.home ?? name);
	mkdirSync(folder, { recursive: true });
	if (programOf(home, known) === undefined) fetchPeer(name, home, known);
	const machine = readdirSync(join(home, "usr/lib")).find((entry) => entry.endsWith("-linux-gnu") || entry.endsWith("-linux-gnueabihf")) ?? "";
	const places = [join(home, "usr/lib", machine), join(home, "lib", machine)];
	const libraries = [...places, ...(known.libraries ?? []).map((part) => join(home, "usr/lib", machine, part))].join(":");
	return { command: programOf(home, known), env: { ...process.env, LD_LIBRARY_PATH: libraries } };
};
