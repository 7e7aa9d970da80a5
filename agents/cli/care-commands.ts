// Decides which commands look after a mesh: its audit, its quarantine, its health, and what a shell offers.
import { Argument, type Command } from "commander";
import type { VerifyAuditOptions } from "./audit.ts";
import { type Bind, examples, parsePositive } from "./command-parts.ts";
import { SHELLS, type Shell } from "./completion.ts";
import { wrap } from "./layout.ts";
import type { DropOptions, QuarantineListOptions } from "./quarantine.ts";

const auditCommands = (program: Command, bind: Bind): void => {
	const audit = program
		.command("audit")
		.description("the signed copy of every record: verified, shown, witnessed")
		.addHelpText("after", examples("orion audit verify", "orion audit show 1234", "orion audit checkpoint > audit.checkpoint"));
	audit
		.command("verify")
		.description("read all of it and say what was altered, removed, moved or cut; exit 8 if anything was; needs no running mesh")
		.option("--checkpoint <file>", "a checkpoint that was kept elsewhere: the audit of today must go on from it")
		.option("--key <key>", "the key to trust, as `orion audit checkpoint` says it (default: the one of this mesh)")
		.addHelpText("after", examples("orion audit verify", "orion audit verify --json", "orion audit verify --checkpoint /media/usb/audit.checkpoint"))
		.action(bind(async (session, options: VerifyAuditOptions) => (await import("./audit.ts")).verifyAuditOf(session, options)));
	audit
		.command("show")
		.description("one entry, by its log position")
		.argument("<position>", "log position", parsePositive)
		.option("--proof", "the proof that it is in the newest checkpoint, for others to check (C2SP tlog-proof)")
		.addHelpText("after", examples("orion audit show 1234", "orion audit show 1234 --proof > 1234.tlog-proof"))
		.action(bind(async (session, position: number, options: { proof?: boolean }) => (await import("./audit.ts")).showAuditEntry(session, position, options)));
	audit
		.command("checkpoint")
		.description("the newest signed checkpoint; keep it where this host cannot write, to find out later whether the audit was rewritten")
		.addHelpText("after", examples("orion audit checkpoint", "orion audit checkpoint | ssh backup 'cat >> orion.checkpoints'"))
		.action(bind(async (session) => (await import("./audit.ts")).showAuditCheckpoint(session)));
};

const quarantineCommands = (program: Command, bind: Bind): void => {
	const quarantine = program
		.command("quarantine")
		.description("messages that broke their contract, kept as they came")
		.addHelpText("after", examples("orion quarantine ls", "orion quarantine show 1234", "orion quarantine retry 1234"));
	quarantine
		.command("ls")
		.description("the ones that wait, newest first")
		.option("-n, --lines <n>", "how many (default 20)", parsePositive)
		.option("--before <position>", "only older ones than this: the next page", parsePositive)
		.addHelpText("after", examples("orion quarantine ls", "orion quarantine ls -n 100 --before 1234", "orion quarantine ls --json"))
		.action(bind(async (session, options: QuarantineListOptions) => (await import("./quarantine.ts")).listQuarantine(session, options)));
	quarantine
		.command("show")
		.description("one of them, as it came, and what it broke on")
		.argument("<position>", "its log position", parsePositive)
		.addHelpText("after", examples("orion quarantine show 1234", "orion quarantine show 1234 --json"))
		.action(bind(async (session, position: number) => (await import("./quarantine.ts")).showQuarantined(session, position)));
	quarantine
		.command("retry")
		.description("judge the same bytes again by today's contracts, and take them if they pass; exit 8 if they still break")
		.argument("<position>", "its log position", parsePositive)
		.addHelpText("after", examples("orion quarantine retry 1234"))
		.action(bind(async (session, position: number) => (await import("./quarantine.ts")).retryQuarantined(session, position)));
	quarantine
		.command("drop")
		.description("it is of no use: record that a person dropped it")
		.argument("<position>", "its log position", parsePositive)
		.option("-m, --message <why>", "why, for whoever reads the log")
		.option("--yes", "do not ask")
		.addHelpText("after", examples('orion quarantine drop 1234 -m "my own test"', "orion quarantine drop 1234 --yes"))
		.action(bind(async (session, position: number, options: DropOptions) => (await import("./quarantine.ts")).dropQuarantined(session, position, options)));
};

const completionCommand = (program: Command, bind: Bind): void => {
	program
		.command("completion")
		.description("what your shell offers after each word of orion")
		.addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
		.addHelpText("after", examples('eval "$(orion completion bash)"    # in ~/.bashrc', "source <(orion completion zsh)", "orion completion fish | source"))
		.action(
			bind(async (session, shell: Shell) => {
				const text = (await import("./completion.ts")).completionFor(program, shell);
				if (session.json) session.print({ schema: "orion.completion/1", shell, text });
				else session.say(text.trimEnd());
				return 0;
			}),
		);
};

const WORD_WIDTH = 14;

/** `orion help glossary`: a topic of the help, beside the commands. */
const glossaryCommand = (program: Command, bind: Bind): void => {
	program
		.command("glossary", { hidden: true })
		.description("what the words mean (also: orion help glossary)")
		.addHelpText("after", examples("orion help glossary", "orion glossary --json"))
		.action(
			bind(async (session) => {
				const { GLOSSARY } = await import("./glossary.ts");
				if (session.json) session.print({ schema: "orion.glossary/1", words: GLOSSARY.map(([word, means]) => ({ word, means })) });
				else
					for (const [word, means] of GLOSSARY)
						session.say(`${session.paint.bold(word.padEnd(WORD_WIDTH))}${wrap(means, session.width, " ".repeat(WORD_WIDTH))}`);
				return 0;
			}),
		);
};

export const careCommands = (program: Command, bind: Bind): void => {
	program
		.command("doctor")
		.description("examine this host and its mesh: each check OK, WARN or FAIL with the exact fix; exit 9 if one fails; needs no running mesh")
		.addHelpText("after", examples("orion doctor", "orion doctor --json", "orion doctor --data /srv/orion"))
		.action(bind(async (session) => (await import("./doctor.ts")).runDoctor(session)));
	auditCommands(program, bind);
	quarantineCommands(program, bind);
	completionCommand(program, bind);
	glossaryCommand(program, bind);
};
