// Fetches programs of Debian that tests and benches measure against: downloaded and unpacked into .cache/, never installed, never started as a service.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, ".cache/peers");

const PEERS = {
	mosquitto: {
		packages: ["mosquitto", "libcjson1", "libwebsockets17", "libdlt2", "libwrap0", "libnsl2", "libuv1", "libev4", "libcap2"],
		program: "usr/sbin/mosquitto",
	},
};

const onPath = (name) => {
	for (const place of [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/bin"])
		if (place !== "" && existsSync(join(place, name))) return join(place, name);
	return undefined;
};

/** { command, env } to start a peer with; throws with the reason when it cannot be had. */
export const peer = (name) => {
	const installed = onPath(name);
	if (installed !== undefined) return { command: installed, env: process.env };
	const { packages, program } = PEERS[name];
	const home = join(folder, name);
	if (!existsSync(join(home, program))) {
		mkdirSync(join(home, "debs"), { recursive: true });
		try {
			execFileSync("apt-get", ["download", ...packages], { cwd: join(home, "debs"), stdio: ["ignore", "ignore", "pipe"] });
		} catch {
			// The package lists of a bare machine are empty: they are fetched into the cache too, not into the host.
			const lists = ["-o", `Dir::State::lists=${join(home, "lists")}`, "-o", `Dir::Cache=${join(home, "cache")}`];
			mkdirSync(join(home, "lists/partial"), { recursive: true });
			mkdirSync(join(home, "cache/archives/partial"), { recursive: true });
			execFileSync("apt-get", [...lists, "update"], { stdio: ["ignore", "ignore", "inherit"] });
			execFileSync("apt-get", [...lists, "download", ...packages], { cwd: join(home, "debs"), stdio: ["ignore", "ignore", "inherit"] });
		}
		for (const deb of readdirSync(join(home, "debs"))) execFileSync("dpkg-deb", ["-x", join(home, "debs", deb), home]);
	}
	const machine = readdirSync(join(home, "usr/lib")).find((entry) => entry.endsWith("-linux-gnu") || entry.endsWith("-linux-gnueabihf")) ?? "";
	const libraries = [join(home, "usr/lib", machine), join(home, "lib", machine)].join(":");
	return { command: join(home, program), env: { ...process.env, LD_LIBRARY_PATH: libraries } };
};
