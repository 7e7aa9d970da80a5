// Decides which commands look after a mesh: its audit.
import type { Command } from "commander";
import type { VerifyAuditOptions } from "./audit.ts";
import { type Bind, examples, parsePositive } from "./command-parts.ts";

export const auditCommands = (program: Command, bind: Bind): void => {
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
