// Connects the command `orion broker` to a running broker: says where it listens and whom it turned away, and ends it in order on Ctrl-C.
import type { Command } from "commander";
import pc from "picocolors";
import { sayFault } from "../../contracts/errors.ts";
import { VERSION } from "../roles/version.ts";
import { untilStopped } from "./up.ts";

interface Flags {
	readonly config: string;
	readonly json?: boolean;
}

const EXAMPLES = `
The file says where it listens; it must say \`anonymous: true\`, and the address must be loopback:

  listen: { port: 1883 }
  anonymous: true
  qos2: true
  refuseSubscribe: ["test/nosubscribe"]

Examples:
  orion broker --config broker.yaml
  orion broker --config broker.yaml --json
`;

export const register = (program: Command): void => {
	program
		.command("broker")
		.description("a plain MQTT broker on loopback, without a mesh: for tries and conformance suites; Ctrl-C stops it")
		.requiredOption("--config <file>", "its configuration")
		.addHelpText("after", EXAMPLES)
		.action(async (_flags: unknown, command: Command) => {
			await broker(command.optsWithGlobals<Flags>());
		});
};

const line = (event: string, facts: Readonly<Record<string, unknown>>): void => {
	process.stdout.write(`${JSON.stringify({ schema: "orion.broker/1", event, ...facts })}\n`);
};

const broker = async ({ config: file, json = false }: Flags): Promise<void> => {
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
