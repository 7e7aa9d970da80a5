// Decides which commands make a machine start its part of the mesh by itself, and take that back.
import { type Command, Option } from "commander";
import { ROLES } from "../install/plan.ts";
import { type Bind, examples } from "./command-parts.ts";
import type { InstallOptions, UninstallOptions } from "./install.ts";

const role = (): Option => new Option("--role <role>", "what this machine is").choices(ROLES).makeOptionMandatory();
const ROOT = ["--root <dir>", "a tree that will be a machine: its files only, no user, nothing started", "/"] as const;

export const registerInstall = (program: Command, bind: Bind): void => {
	program
		.command("install")
		.description("make this machine start its part at every boot: a user, settings, units of systemd; may be repeated")
		.addOption(role())
		.option("--listen <address>", "core: where other machines join")
		.addOption(new Option("--redis <url>", "core: a Redis that is there (default: one of its own, on loopback)").env("ORION_REDIS"))
		.option("--no-redis", "core: none")
		.option("--core <url>", "broker: the Redis of core")
		.option("--name <name>", "broker: its name")
		.option("--mesh <id>", "broker: the mesh")
		.addOption(new Option("--robot-model <model>", "robot: which one").choices(["fnk0052", "fnk0031"]).default("fnk0052"))
		.option(...ROOT)
		.option("--dry-run", "say what would be made, and make nothing")
		.addHelpText(
			"after",
			examples(
				"orion install --role core --dry-run",
				"sudo orion install --role core --listen 192.168.1.10",
				"sudo orion install --role agent",
				"sudo orion install --role robot --robot-model fnk0052",
			),
		)
		.action(bind(async (session, options: InstallOptions) => (await import("./install.ts")).runInstall(session, options)));
	program
		.command("uninstall")
		.description("take back exactly what `orion install` made; what the mesh keeps stays")
		.addOption(role())
		.option(...ROOT)
		.option("--purge", "also remove what the mesh keeps: log, audit, keys")
		.addHelpText("after", examples("sudo orion uninstall --role agent", "sudo orion uninstall --role core --purge"))
		.action(bind(async (session, options: UninstallOptions) => (await import("./install.ts")).runUninstall(session, options)));
};
