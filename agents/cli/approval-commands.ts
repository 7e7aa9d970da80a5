// Decides what `orion approvals`, `orion approve` and `orion deny` understand.
import type { Command } from "commander";
import { type Bind, examples } from "./command-parts.ts";

interface Answering {
	readonly message?: string;
	readonly yes?: boolean;
}

const ID = "question, or the beginning of its id";

const listCommands = (program: Command, bind: Bind): void => {
	const approvals = program
		.command("approvals")
		.description("what waits for a person's yes; nothing happens without one")
		.option("--all", "also those that are over, of the last 30 days")
		.addHelpText("after", examples("orion approvals", "orion approvals --all", "orion approvals show apr-0b7e", "orion approvals history"))
		.action(bind(async (session, options: { all?: boolean }) => (await import("./approvals.ts")).listApprovals(session, options)));
	approvals
		.command("show")
		.description("one question: what would run, on what, why, what it touches, how it is taken back")
		.argument("<id>", ID)
		.addHelpText("after", examples("orion approvals show apr-0b7e1a52d9c8", "orion approvals show apr-0b --json"))
		.action(bind(async (session, id: string) => (await import("./approvals.ts")).showApproval(session, id)));
	approvals
		.command("revoke")
		.description("take a question back: nothing is done, and it is not asked again for a while")
		.argument("<id>", ID)
		.option("-m, --message <why>", "why, for whoever reads the log")
		.addHelpText("after", examples('orion approvals revoke apr-0b7e -m "asked by mistake"'))
		.action(bind(async (session, id: string, options: Answering) => (await import("./approvals.ts")).revoke(session, id, options)));
	approvals
		.command("invite")
		.description("print a one-time link: who opens it in Telegram may answer questions there from then on")
		.addHelpText("after", examples("orion approvals invite", "orion approvals invite --json"))
		.action(bind(async (session) => (await import("./invite.ts")).inviteAdmin(session)));
	approvals
		.command("undo")
		.description("take back what was approved and done, with the action that the policy names for it")
		.argument("<id>", ID)
		.option("-m, --message <why>", "why, for whoever reads the log")
		.addHelpText("after", examples('orion approvals undo apr-0b7e -m "it is mended"'))
		.action(bind(async (session, id: string, options: Answering) => (await import("./approvals.ts")).undo(session, id, options)));
	approvals
		.command("history")
		.description("how long answers took, who gave them, how often was asked, which answers counted for nothing")
		.addHelpText("after", examples("orion approvals history", "orion approvals history --json"))
		.action(bind(async (session) => (await import("./approvals.ts")).showHistory(session)));
};

export const registerApprovals = (program: Command, bind: Bind): void => {
	listCommands(program, bind);
	program
		.command("approve")
		.description("let it run: shows the whole question, asks to type what it is done to, and answers exactly what was shown")
		.argument("<id>", ID)
		.option("-m, --message <why>", "why, for whoever reads the log")
		.option("--yes", "do not ask; for scripts")
		.addHelpText("after", examples("orion approve apr-0b7e1a52d9c8", 'orion approve apr-0b7e -m "it only makes noise"', "orion approve apr-0b7e --yes --json"))
		.action(bind(async (session, id: string, options: Answering) => (await import("./approvals.ts")).approve(session, id, options)));
	program
		.command("deny")
		.description("it is not done, and not asked again for a while")
		.argument("<id>", ID)
		.option("-m, --message <why>", "why, for whoever reads the log")
		.addHelpText("after", examples("orion deny apr-0b7e1a52d9c8", 'orion deny apr-0b7e -m "I look at it myself"'))
		.action(bind(async (session, id: string, options: Answering) => (await import("./approvals.ts")).deny(session, id, options)));
};
