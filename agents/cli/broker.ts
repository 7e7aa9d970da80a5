// Connects the command `orion broker` to a running broker, of a mesh or plain: says where it listens and whom it turned away, and ends it in order.
import { type Command, Option } from "commander";
import pc from "picocolors";
import { OrionError, sayFault } from "../../contracts/errors.ts";
import { dataFolder } from "../roles/data-folder.ts";
import { VERSION } from "../roles/version.ts";
import type { Bind } from "./command-parts.ts";
import { parsePort, untilStopped } from "./up.ts";

interface Flags {
	readonly config?: string;
	readonly core?: string;
	readonly name?: string;
	readonly mesh?: string;
	readonly ca?: string;
	readonly data?: string;
	readonly mqttPort?: number;
	readonly acceptLoss?: boolean;
	readonly json?: boolean;
}

const EXAMPLES = `
With --core it is a broker of a mesh whose core is elsewhere: what its nodes say
is on its own disk before they are thanked, and goes to core through Redis, also
after hours without it. \`orion broker add NAME\` prints the whole command.

With --config it is a plain broker. The file says where it listens; it must say
\`anonymous: true\`, and the address must be loopback:

  listen: { port: 1883 }
  anonymous: true
  qos2: true
  refuseSubscribe: ["test/nosubscribe"]

Examples:
  orion broker add attic
  orion broker --core redis://USER:PASSWORD@core.lan --name attic --mesh mesh-0123456789ab
  orion broker --config broker.yaml --json
`;

const ADD_EXAMPLES = `
Examples:
  orion broker add attic
  orion broker add attic --json
`;

const NAME = /^[a-z0-9-]{1,32}$/;

export const register = (program: Command, bind: Bind): void => {
	program
		.command("broker")
		.description("a broker on a machine without core, or a plain one without a mesh; Ctrl-C stops it")
		.addOption(new Option("--core <url>", "the Redis of core: redis[s]://user:password@host[:port]").env("ORION_REDIS"))
		.option("--name <name>", "with --core: its name, as orion.yaml of core has it under redis.brokers")
		.option("--mesh <id>", "with --core: the mesh, as `orion broker add` says it")
		.option("--ca <file>", "with --core: certificate authority of a rediss:// (default: those of the system)")
		.option("--mqtt-port <n>", "with --core: port on loopback (default 1883, 0 = any free one)", parsePort)
		.option("--accept-loss", "with --core: start although the spool is damaged, and record what is lost")
		.option("--config <file>", "a plain broker: its configuration")
		.addHelpText("after", EXAMPLES)
		.action(async (_flags: unknown, command: Command) => {
			const flags = command.optsWithGlobals<Flags>();
			if ((flags.core === undefined) === (flags.config === undefined))
				throw new OrionError("USAGE", { detail: "give either --core URL (a broker of a mesh) or --config FILE (a plain one)" });
			await (flags.core === undefined ? broker(flags.config ?? "", flags.json === true) : away(flags.core, flags));
		})
		.command("add")
		.description("print what lets a broker on another machine in")
		.argument("<name>", "1 to 32 of a-z, 0-9 and -")
		.addHelpText("after", ADD_EXAMPLES)
		.action(bind(async (session, name: string) => (await import("./broker-add.ts")).addBroker(session, name)));
};

const line = (event: string, facts: Readonly<Record<string, unknown>>): void => {
	process.stdout.write(`${JSON.stringify({ schema: "orion.broker/1", event, ...facts })}\n`);
};

const DEFAULT_PORT = 1883;

/** A failure that must not be survived: what is on disk is no longer known. */
const onFatal = (error: unknown): never => {
	process.stderr.write(`orion: ${error instanceof OrionError ? sayFault(error.fault) : String(error)}\n`);
	process.exit(70);
};

const away = async (core: string, flags: Flags): Promise<void> => {
	const { name = "", mesh = "", json = false } = flags;
	if (!NAME.test(name)) throw new OrionError("USAGE", { detail: "--name is 1 to 32 of a-z, 0-9 and -" });
	if (mesh === "") throw new OrionError("USAGE", { detail: "--mesh is missing; `orion broker add NAME` on core prints the whole command" });
	const { startAwayBroker } = await import("../roles/broker-main.ts");
	const { readText } = await import("../roles/kept-files.ts");
	const ca = flags.ca === undefined ? undefined : await readText(flags.ca);
	if (flags.ca !== undefined && ca === undefined) throw new OrionError("USAGE", { detail: `there is no file ${flags.ca}` });
	const stopped = untilStopped();
	const { openSupervisor } = await import("../roles/supervisor.ts");
	const supervisor = openSupervisor(process.env, (detail) => process.stderr.write(`orion: the supervisor of this service cannot be told: ${detail}\n`));
	const running = await startAwayBroker({
		core,
		name,
		mesh,
		data: dataFolder(flags.data),
		host: "127.0.0.1",
		port: flags.mqttPort ?? DEFAULT_PORT,
		...(ca === undefined ? {} : { ca }),
		acceptLoss: flags.acceptLoss === true,
		onLine: (said) => process.stderr.write(`orion: ${said}\n`),
		onFatal,
		onTurn: () => supervisor.turned(),
	});
	supervisor.ready();
	const { lag } = running.view();
	if (json) line("ready", { mqtt: running.url, name, mesh, lag });
	else
		process.stdout.write(
			`${pc.bold("orion")} ${VERSION}\n  ${pc.green("OK")} broker  ${name} of ${mesh}, ${running.url}, ${lag} records that core does not have yet\nCtrl-C stops it; starting again goes on where it was.\n`,
		);
	const signal = await stopped;
	supervisor.stopping();
	await running.stop();
	if (json) line("stopped", { signal });
	else process.stdout.write("\nstopped; what core does not have yet is in the spool\n");
	process.exit(0);
};

const broker = async (file: string, json: boolean): Promise<void> => {
	const { startPlainBroker } = await import("../roles/plain-broker.ts");
	const stopped = untilStopped();
	const running = await startPlainBroker(file, ({ clientId, remote, fault }) => {
		process.stderr.write(`orion: ${clientId === undefined ? remote : `${clientId} at ${remote}`}: ${sayFault(fault)}\n`);
	});
	const { qos2 = false, refuseSubscribe = [] } = running.config;
	if (json) line("ready", { mqtt: running.url, file: running.file, qos2, refuseSubscribe });
	else
		process.stdout.write(
			`${pc.bold("orion")} ${VERSION}\n  ${pc.green("OK")} broker  ${running.url}: plain, everybody may come in, nothing is kept on disk${qos2 ? ", QoS 2" : ""}\n` +
				`${refuseSubscribe.map((filter) => `     nobody may subscribe to ${filter}\n`).join("")}Ctrl-C stops it.\n`,
		);
	const signal = await stopped;
	await running.stop();
	if (json) line("stopped", { signal });
	else process.stdout.write("\nstopped\n");
	process.exit(0);
};
