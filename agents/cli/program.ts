// Decides what `orion` understands: commands, flags, help with examples; each command is loaded only when it runs.
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { ERRORS, type Fault, fault, OrionError, sayFault } from "../../contracts/errors.ts";
import type { Level } from "../../core/policy.ts";
import { COMMIT, VERSION } from "../roles/version.ts";
import type { AlertOptions } from "./alert.ts";
import { registerApprovals } from "./approval-commands.ts";
import { register as registerBroker } from "./broker.ts";
import { careCommands } from "./care-commands.ts";
import { type Bind, examples, parseNumber, parsePositive } from "./command-parts.ts";
import { registerInstall } from "./install-commands.ts";
import type { JoinOptions } from "./join.ts";
import type { LogsOptions } from "./logs.ts";
import { registerRobot } from "./robot-verbs.ts";
import { type Host, Interrupted, runIn, runToEnd, type Session } from "./session.ts";
import type { StopOptions } from "./stop.ts";
import { register as registerUp } from "./up.ts";

const INTERRUPTED = 130;
const INTERNAL = 1;

const EXAMPLES = `Examples:
  orion up                              start the mesh here, at N0: it observes
  orion status                          what is so now
  orion incidents                       what is wrong
  orion why                             why, and what would change it
  orion level N2 -m "repair by itself"  let SAFE actions run
  orion stop                            everything stops, and stays stopped
  orion alert backup "no backup for 3 days" --severity error
`;

const EXIT_CODES = `
What the words mean: orion help glossary. An id may be given by its beginning.
Exit codes: 0 ok, 1 failed, 2 usage, 3 unreachable, 4 not authenticated, 5 refused
by policy, 6 denied or expired, 7 partial, 8 verification failed, 9 unhealthy
(status --exit-code, doctor), 130 interrupted.
`;

const LEVELS: readonly Level[] = ["N0", "N2", "N3"];

/** As people type it. */
const parseLevel = (text: string): Level => {
	const level = LEVELS.find((known) => known === text.toUpperCase());
	if (level === undefined)
		throw new InvalidArgumentError(`Allowed choices are ${LEVELS.join(", ")}.${text.toUpperCase() === "N1" ? " To suggest is what N0 does anyway." : ""}`);
	return level;
};

const collect = (text: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), text];

const readCommands = (program: Command, bind: Bind): void => {
	program
		.command("status")
		.description("what is so now: level, nodes as they measure themselves, open incidents")
		.option("--exit-code", "exit 9 if an incident is open or a node is lost")
		.addHelpText("after", examples("orion status", "orion status --json", "orion status --exit-code || notify-send orion"))
		.action(bind(async (session, options: { exitCode?: boolean }) => (await import("./status.ts")).showStatus(session, options)));
	program
		.command("open")
		.description("print a link that opens the page in a browser on this machine, once")
		.addHelpText("after", examples("orion open", 'xdg-open "$(orion open)"'))
		.action(bind(async (session) => (await import("./open.ts")).printLink(session)));
	program
		.command("incidents")
		.description("what is wrong")
		.option("--all", "also those that are over, of the last 24 hours")
		.addHelpText("after", examples("orion incidents", "orion incidents --all --json"))
		.action(bind(async (session, options: { all?: boolean }) => (await import("./incidents.ts")).listIncidents(session, options)));
	program
		.command("incident")
		.description("one incident")
		.addHelpText("after", examples("orion incident show inc-1720d2b4ea"))
		.command("show")
		.description("everything that happened in it, in order")
		.argument("<id>", "incident, or the beginning of its id")
		.addHelpText("after", examples("orion incident show inc-1720d2b4ea", "orion incident show inc-17"))
		.action(bind(async (session, id: string) => (await import("./incidents.ts")).showIncident(session, id)));
	program
		.command("why")
		.description("why something was done or not: facts, policy rows, guards, what would change it")
		.argument("[id]", "incident, decision, action or event; the beginning of an id, or a log position (default: the gravest open incident, else the newest)")
		.addHelpText("after", examples("orion why", "orion why inc-1720d2b4ea", "orion why dec-31", "orion why 1234", "orion why act-af --json"))
		.action(bind(async (session, id: string | undefined) => (await import("./why.ts")).showWhy(session, id)));
	program
		.command("logs")
		.description("the records, as people read them; --json gives one JSON document a line")
		.option("-f, --follow", "go on with what comes, also after the mesh was started again")
		.option("--type <prefix>", "only types that begin so, as incident or dev.orion.process.down; may be repeated", collect)
		.option("--node <name>", "only of this node (core: of core itself)")
		.option("--since <when>", "from a log position or a time ago on: 1234, 30s, 10m, 2h, 7d")
		.option("-n, --lines <n>", "the newest n (default 50, before following 10)", parsePositive)
		.option("--all", "also clock records")
		.addHelpText(
			"after",
			examples("orion logs -f", "orion logs --type incident --type decision", "orion logs --node pi-3 --since 10m", "orion logs --since 1 --json > log.ndjson"),
		)
		.action(bind(async (session, options: LogsOptions) => (await import("./logs.ts")).showLogs(session, options)));
	program
		.command("reconciliation")
		.description("what nodes did, refused and saw while they heard no core, and what each may do alone the next time")
		.addHelpText("after", examples("orion reconciliation", "orion reconciliation --json"))
		.action(bind(async (session) => (await import("./reconciliation.ts")).showReconciliations(session)));
	program
		.command("replay")
		.description("run the whole log through the engine again; exit 8 at the first byte that differs")
		.addHelpText("after", examples("orion replay", "orion replay --data /srv/orion    # works without a running mesh, too"))
		.action(bind(async (session) => (await import("./replay.ts")).runReplay(session)));
};

const nodeCommands = (program: Command, bind: Bind): void => {
	const node = program
		.command("node")
		.description("who may connect")
		.addHelpText("after", examples("orion node add pi-3", "orion node ls", "orion node revoke pi-3", "orion node rm pi-3"));
	node
		.command("add")
		.description("give a node its credential; the password is shown once")
		.argument("<name>", "1 to 32 of a-z, 0-9 and -")
		.option("--client", "it only publishes events: no presence, no commands, nobody misses it")
		.addHelpText("after", examples("orion node add pi-3", "orion node add backup --client", "orion node add pi-3 --json"))
		.action(bind(async (session, name: string, options: { client?: boolean }) => (await import("./nodes.ts")).addNode(session, name, options)));
	node
		.command("ls")
		.description("who may connect: presence, certificate, session, version, what waits there, clock")
		.addHelpText("after", examples("orion node ls", "orion node ls --json"))
		.action(bind(async (session) => (await import("./node-list.ts")).listNodes(session)));
	node
		.command("revoke")
		.description("a device was lost or stolen: its password and certificates end now; it may join anew")
		.argument("<name>", "node")
		.option("--yes", "do not ask")
		.addHelpText("after", examples("orion node revoke pi-3", "orion node revoke pi-3 --yes"))
		.action(bind(async (session, name: string, options: { yes?: boolean }) => (await import("./nodes.ts")).takeNode(session, name, "revoke", options)));
	node
		.command("rm")
		.description("take a node's credential away, disconnect it, and forget it")
		.argument("<name>", "node")
		.option("--yes", "do not ask")
		.addHelpText("after", examples("orion node rm backup", "orion node rm backup --yes"))
		.action(bind(async (session, name: string, options: { yes?: boolean }) => (await import("./nodes.ts")).takeNode(session, name, "remove", options)));
};

const deviceCommands = (program: Command, bind: Bind): void => {
	program
		.command("join")
		.description("make this device a node of a mesh elsewhere, with the token that `orion node add` printed there")
		.argument("<address>", "HOST or HOST:PORT of core's join listener (default port 8884)")
		.argument("<token>", "good once, within the hour; it names the authority of the mesh, so no secret goes to anybody else")
		.option("--state <folder>", "where this node keeps what it is", "orion-node")
		.option("--client", "as one that only publishes events, as `orion node add NAME --client` made it")
		.addHelpText(
			"after",
			examples(
				"orion join 192.168.1.10 TOKEN",
				"orion join 192.168.1.10:8884 TOKEN --state /var/lib/orion",
				"orion join 192.168.1.10 TOKEN --client --state /etc/backup-orion",
			),
		)
		.action(bind(async (session, address: string, token: string, options: JoinOptions) => (await import("./join.ts")).join(session, address, token, options)));
	program
		.command("renew")
		.description("ask core for a new certificate for the key of this device; agents that run do it by themselves")
		.option("--state <folder>", "where this node keeps what it is", "orion-node")
		.addHelpText("after", examples("orion renew", "orion renew --state /etc/backup-orion"))
		.action(bind(async (session, options: { state: string }) => (await import("./renew.ts")).renew(session, options)));
};

const configCommands = (program: Command, bind: Bind): void => {
	const config = program
		.command("config")
		.description("orion.yaml and the policies")
		.addHelpText("after", examples("orion config check", "orion config reload"));
	config
		.command("check")
		.description("say with file, line and column what is wrong; needs no running mesh")
		.argument("[file]", "configuration (default: orion.yaml here, else in the data folder)")
		.addHelpText("after", examples("orion config check", "orion config check /etc/orion/orion.yaml"))
		.action(bind(async (session, file: string | undefined) => (await import("./config.ts")).checkConfig(session, file)));
	config
		.command("reload")
		.description("let the running mesh read its policies again; a bad one changes nothing")
		.addHelpText("after", examples("orion config reload"))
		.action(bind(async (session) => (await import("./config.ts")).reloadConfig(session)));
};

const explainCommands = (program: Command, bind: Bind): void => {
	program
		.command("explain")
		.description("the rules that hold, as they are carried by the agents")
		.addHelpText("after", examples("orion explain safe-stop"))
		.command("safe-stop")
		.description("when a node stops, how, and what lets it go on; needs no running mesh")
		.addHelpText("after", examples("orion explain safe-stop", "orion explain safe-stop --json"))
		.action(bind(async (session) => (await import("./explain.ts")).explainSafeStop(session)));
};

const stopCommands = (program: Command, bind: Bind): void => {
	const what = {
		stop: "no new movement, sit, then off; holds until it is released",
		cut: "outputs off at once: what stands falls; released only at the node",
	} as const;
	for (const verb of ["stop", "cut"] as const)
		program
			.command(verb)
			.description(what[verb])
			.argument("[node]", "one node (default: all of them)")
			.option("--all", "every node; the same as naming none")
			.option("--local", "only by the socket of the node on this machine: needs no mesh")
			.addHelpText("after", examples(`orion ${verb}`, `orion ${verb} pi-3`, `orion ${verb} --local`))
			.action(bind(async (session, node: string | undefined, options: StopOptions) => (await import("./stop.ts")).order(session, verb, node, options)));
	program
		.command("release")
		.description("take a stop back; a cut only with --local, at the node")
		.argument("<node>", "its name, in full")
		.option("--local", "by the socket of the node on this machine")
		.option("--yes", "do not ask")
		.addHelpText("after", examples("orion release pi-3", "orion release pi-3 --local"))
		.action(bind(async (session, node: string, options: { local?: boolean; yes?: boolean }) => (await import("./stop.ts")).release(session, node, options)));
};

const changeCommands = (program: Command, bind: Bind): void => {
	program
		.command("level")
		.description("show or set what the mesh may do by itself")
		.addArgument(new Argument("[level]", "N0 observes, N2 runs SAFE actions, N3 as N2").choices(LEVELS).argParser(parseLevel))
		.option("-m, --message <why>", "why, for whoever reads the log")
		.addHelpText("after", examples("orion level", 'orion level N2 -m "watched it for a week"', "orion level N0"))
		.action(
			bind(async (session, level: Level | undefined, options: { message?: string }) => {
				const { setLevel, showLevel } = await import("./level.ts");
				return level === undefined ? showLevel(session) : setLevel(session, level, options);
			}),
		);
	program
		.command("retry")
		.description("you mended it: close the breaker of an open incident and let the mesh try again")
		.argument("<id>", "incident, the beginning of its id, or its service")
		.addHelpText("after", examples("orion retry inc-1720d2b4ea", "orion retry web"))
		.action(bind(async (session, id: string) => (await import("./retry.ts")).retryIncident(session, id)));
	nodeCommands(program, bind);
	deviceCommands(program, bind);
	program
		.command("alert")
		.description("raise an alert, or say that it is over")
		.argument("<name>", "name of the alert; the same name is the same alert")
		.argument("[text]", "one sentence for a person")
		.addOption(new Option("--severity <severity>", "how bad (default: warning)").choices(["info", "warning", "error", "critical"]))
		.option("--resolved", "it is over")
		.option("--label <key=value>", "a label; may be repeated", collect)
		.option("--value <n>", "what was measured", parseNumber)
		.option("--threshold <n>", "what it is measured against", parseNumber)
		.addHelpText("after", examples('orion alert backup "no backup for 3 days" --severity error --value 3 --threshold 1', "orion alert backup --resolved"))
		.action(
			bind(async (session, name: string, text: string | undefined, options: AlertOptions) =>
				(await import("./alert.ts")).raiseAlert(session, name, text, options),
			),
		);
	configCommands(program, bind);
	program
		.command("version")
		.description("which version this is")
		.addHelpText("after", examples("orion version", "orion version --json"))
		.action(
			bind(async (session) => {
				if (session.json) session.print({ schema: "orion.version/1", version: VERSION, commit: COMMIT, node: process.versions.node });
				else session.say(`orion ${VERSION} (${COMMIT})`);
				return 0;
			}),
		);
};

const demoCommand = (program: Command, host: Host, onExit: (code: number) => void): void => {
	program
		.command("demo")
		.description("the whole story in under a minute: a mesh of its own, real services, killed, repaired, explained; removed afterwards")
		.option("--keep", "leave the demo's folder where it is, to look at it")
		.option("--telegram", "also ask in Telegram: against a server in the demo that plays the Bot API, with the conversation")
		.option("--robot", "instead of the mesh's story that of a hexapod which stops: the real firmware in an emulated chip")
		.option("--svg <file>", "with --robot: draw what came out of its servo chips, through the cut and the kill")
		.addHelpText("after", examples("orion demo", "orion demo --telegram", "orion demo --robot --svg robot.svg", "orion demo --json > demo.json"))
		.action(async (options: { keep?: boolean; telegram?: boolean }, command: Command) => {
			const { runDemo } = await import("./demo.ts");
			onExit(await runToEnd(host, command, (session) => runDemo(session, options)));
		});
};

const agentCommand = (program: Command, host: Host, onExit: (code: number) => void): void => {
	program
		.command("agent")
		.description("run the agent of this device, after `orion join`; Ctrl-C ends it and its services in order")
		.option("--state <folder>", "where this node keeps what it is", "orion-node")
		.addHelpText("after", examples("orion agent", "orion agent --state /var/lib/orion"))
		.action(async (options: JoinOptions, command: Command) => {
			const { runAgent } = await import("./agent.ts");
			onExit(await runToEnd(host, command, (session) => runAgent(session, options)));
		});
};

const buildProgram = (host: Host, json: boolean, onExit: (code: number) => void): Command => {
	const bind: Bind =
		<A extends readonly unknown[]>(work: (session: Session, ...args: A) => Promise<number>) =>
		async (...args) => {
			// Commander passes arguments, options and last the command itself.
			const command = args.at(-1) as Command;
			const given = args.slice(0, -1) as unknown as A;
			onExit(await runIn(host, command, (session) => work(session, ...given)));
		};
	const program = new Command("orion");
	program
		.description("A mesh that sees, decides, repairs, proves it, and can explain every step.")
		.version(VERSION, "-V, --version", "which version this is")
		.helpOption("-h, --help", "this help")
		.helpCommand("help [command]", "help for a command")
		.option("--data <dir>", "data folder (default: ORION_DATA, else the XDG data folder)")
		.option("--url <url>", "ask the mesh at this URL instead of that of the data folder")
		.option("--token-file <file>", "file with the token of the API (default: the one in the data folder)")
		.option("--json", "versioned JSON on stdout")
		.option("--no-color", "no colours (also NO_COLOR)")
		.option("--timeout <seconds>", "how long to wait for an answer (default 10)", parseNumber)
		.configureHelp({ showGlobalOptions: true })
		.configureOutput({
			writeOut: host.out,
			writeErr: (text) => {
				if (!json) host.err(text.replace(/^error: /, "orion: "));
			},
			getOutHelpWidth: () => (host.outIsTty ? host.columns : 100),
			getErrHelpWidth: () => (host.errIsTty ? host.columns : 100),
			getOutHasColors: () => false,
			getErrHasColors: () => false,
		})
		.showSuggestionAfterError()
		.exitOverride()
		.addHelpText("before", EXAMPLES)
		.addHelpText("after", EXIT_CODES);
	registerUp(program);
	registerBroker(program, bind);
	demoCommand(program, host, onExit);
	agentCommand(program, host, onExit);
	readCommands(program, bind);
	stopCommands(program, bind);
	explainCommands(program, bind);
	registerRobot(program, host, onExit);
	changeCommands(program, bind);
	careCommands(program, bind);
	registerApprovals(program, bind);
	registerInstall(program, bind);
	return program;
};

const sayFailure = (host: Host, json: boolean, found: Fault): number => {
	const { exit, retryable } = ERRORS[found.code];
	host.err(
		json
			? `${JSON.stringify({ ...found.facts, schema: "orion.error/1", code: found.code, text: sayFault(found), retryable, exit })}\n`
			: `orion: ${sayFault(found)}\n`,
	);
	return exit;
};

/** Runs one command line; resolves with its exit code. stdout stays empty when it fails. */
export const runCli = async (given: readonly string[], host: Host): Promise<number> => {
	// A topic of the help is no command that has a help.
	const args = given[0] === "help" && given[1] === "glossary" ? given.slice(1) : given;
	const options = args.slice(0, args.includes("--") ? args.indexOf("--") : args.length);
	const json = options.includes("--json");
	let code = 0;
	try {
		await buildProgram(host, json, (exit) => {
			code = exit;
		}).parseAsync([...args], { from: "user" });
		return code;
	} catch (error) {
		if (error instanceof Interrupted || host.interrupted.aborted) return INTERRUPTED;
		if (error instanceof OrionError) return sayFailure(host, json, error.fault);
		if (error instanceof CommanderError) {
			if (error.exitCode === 0) return 0;
			const detail = error.code === "commander.help" ? "say which command; see: orion help" : error.message.replace(/^error: /, "");
			return json ? sayFailure(host, json, fault("USAGE", { detail })) : ERRORS.USAGE.exit;
		}
		host.err(`orion: this is a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
		return INTERNAL;
	}
};
