// Connects `orion audit` to the audit of a data folder: all of it verified and held against the log, one entry, or the newest checkpoint to keep elsewhere.
import { readFile } from "node:fs/promises";
import { OrionError, sayFault } from "../../contracts/errors.ts";
import { sayDuration } from "../../contracts/time.ts";
import type { LogView } from "../../core/service/views.ts";
import { type AuditFinding, type AuditQuestion, type AuditVerified, auditCheckpoint, auditEntry, checkAudit } from "../roles/audit-check.ts";
import { dataFolder } from "../roles/data-folder.ts";
import { grouped, plain, wrap } from "./layout.ts";
import type { Session } from "./session.ts";

export interface VerifyAuditOptions {
	readonly checkpoint?: string;
	readonly key?: string;
}

const VERIFICATION_FAILED = 8;
const PAGE_RECORDS = 1_000;
const FINDINGS_SHOWN_MAX = 10;

/** The log beside the audit, asked in order. */
interface Beside extends Pick<AuditQuestion, "compare" | "record" | "enteredUpTo" | "isRunning"> {
	readonly head: number | undefined;
	/** Why the log could not be read. */
	readonly fault?: AuditFinding;
	/** What came of it is told to a mesh that runs. */
	tell?(result: object): Promise<void>;
	close(): Promise<void>;
}

const here = (session: Session): string => {
	if (session.flags.url !== undefined)
		throw new OrionError("USAGE", { detail: "the audit is looked at where its files are: on the host of the mesh, with --data" });
	return dataFolder(session.flags.data);
};

/** Of a running mesh, records are read as it tells them: they are compared as the JSON that they are. */
const besideMesh = async (session: Session): Promise<Beside> => {
	const client = await session.mesh();
	const { rev, first } = await client.get<LogView>("/state/log?limit=1");
	let page: LogView["records"] = [];
	const recordAt = async (position: number) => {
		if (position < first || position > rev) return undefined;
		const last = page.at(-1)?.position ?? 0;
		if (position > last || position < (page[0]?.position ?? 0)) page = (await client.get<LogView>(`/state/log?from=${position}&limit=${PAGE_RECORDS}`)).records;
		return page.find((record) => record.position === position);
	};
	return {
		head: rev,
		enteredUpTo: 0,
		isRunning: true,
		tell: async (result) => void (await client.post("/audit/verified", result)),
		compare: async (position, entry) => {
			const record = await recordAt(position);
			if (record === undefined) return "none";
			return entry.length > 0 && JSON.stringify(JSON.parse(new TextDecoder().decode(entry))) === JSON.stringify(record.envelope) ? "same" : "other";
		},
		close: async () => undefined,
	};
};

const besideFolder = async (data: string): Promise<Beside> => {
	const [{ openStoppedLog }, { enteredUpTo }] = await Promise.all([import("../roles/stopped-log.ts"), import("../../core/service/audit.ts")]);
	const { log } = await openStoppedLog(data);
	let page: readonly { readonly position: number; readonly bytes: Uint8Array }[] = [];
	const record = async (position: number): Promise<Uint8Array | undefined> => {
		if (position < log.first() || position > log.head()) return undefined;
		if (position > (page.at(-1)?.position ?? 0) || position < (page[0]?.position ?? 0)) page = await log.read(position, PAGE_RECORDS);
		return page.find((found) => found.position === position)?.bytes;
	};
	return {
		head: log.head(),
		enteredUpTo: enteredUpTo(log),
		isRunning: false,
		record,
		compare: async (position, entry) => {
			const bytes = await record(position);
			if (bytes === undefined) return position > log.head() ? "other" : "none";
			return Buffer.compare(bytes, entry) === 0 ? "same" : "other";
		},
		close: () => log.close(),
	};
};

/** The running mesh, else the folder that it left; a log that cannot be read is a finding, and the audit is verified without it. */
const besideOf = async (session: Session, data: string): Promise<Beside> => {
	try {
		return await besideMesh(session);
	} catch (error) {
		if (!(error instanceof OrionError) || error.fault.code !== "NOT_RUNNING") throw error;
	}
	try {
		return await besideFolder(data);
	} catch (error) {
		if (!(error instanceof OrionError) || error.fault.code !== "RECORD_DAMAGED") throw error;
		const fault: AuditFinding = { kind: "log", position: 0, file: "log", text: `the log could not be compared: ${sayFault(error.fault)}` };
		return { head: undefined, enteredUpTo: 0, isRunning: false, fault, close: async () => undefined };
	}
};

const told = (session: Session, verified: AuditVerified, findings: readonly AuditFinding[], { head, isRunning }: Beside, ms: number): void => {
	const { paint, width } = session;
	const last = verified.first + verified.entries - 1;
	const [worst] = findings;
	if (worst !== undefined) {
		session.say(`${paint.red("the audit is NOT what was signed")}; the first bad entry is ${worst.position}`);
		for (const { kind, file, text } of findings.slice(0, FINDINGS_SHOWN_MAX))
			session.say(`  ${paint.red(kind.padEnd(11))}${wrap(`${plain(text)} ${paint.dim(`(${file})`)}`, width, " ".repeat(13))}`);
		if (findings.length > FINDINGS_SHOWN_MAX) session.say(paint.dim(`  and ${findings.length - FINDINGS_SHOWN_MAX} more: --json`));
		session.tell("Change nothing, copy the data folder, and compare with a checkpoint that was kept elsewhere.");
		return;
	}
	const counted = `${grouped(verified.entries)} entries, ${grouped(verified.compared)} of them the same in the log`;
	const signed =
		verified.checkpoints === 0
			? "no checkpoint yet"
			: `${grouped(verified.checkpoints)} checkpoint${verified.checkpoints === 1 ? "" : "s"}, signed up to #${verified.signedUpTo}`;
	session.tell(`${paint.green("the audit is whole")}: ${counted}; ${signed}; ${sayDuration(ms)}`);
	if (!isRunning && head !== undefined && head > last)
		session.tell(`the records ${last + 1} to ${head} have no entry yet: a mesh that was killed leaves this, and the next start enters them`);
	session.say(
		paint.dim(
			wrap("Who holds this disk could rewrite all of it, key included: only a checkpoint kept elsewhere shows that. orion audit checkpoint", width, ""),
		),
	);
};

export const verifyAuditOf = async (session: Session, options: VerifyAuditOptions): Promise<number> => {
	const data = here(session);
	const kept = options.checkpoint === undefined ? {} : { kept: await keptNote(options.checkpoint) };
	const beside = await besideOf(session, data);
	try {
		const beganMs = performance.now();
		let position = 0;
		const { compare, record, enteredUpTo, isRunning, head } = beside;
		const question: AuditQuestion = {
			...(compare === undefined ? {} : { compare }),
			...(record === undefined ? {} : { record }),
			...kept,
			enteredUpTo,
			isRunning,
			onProgress: (done) => {
				position = done;
			},
		};
		const verified = await session.waiting(() => `verified ${grouped(position)} entries`, checkAudit(data, options.key, question));
		const ms = Math.max(1, Math.round(performance.now() - beganMs));
		const findings = [...verified.findings, ...(beside.fault === undefined ? [] : [beside.fault])];
		const ok = findings.length === 0;
		const { origin, first, entries, checkpoints, signedUpTo, compared } = verified;
		const [bad] = findings;
		const result = { by: session.host.user, good: ok, entryCount: entries, signedUpToPosition: Math.max(0, signedUpTo) };
		// What was found is so whether it could be recorded or not.
		await beside
			.tell?.({ ...result, ...(bad === undefined ? {} : { badPosition: bad.position }) })
			.catch((error: unknown) => session.tell(`the mesh could not be told: ${error instanceof Error ? error.message : "unknown"}`));
		if (session.json)
			session.print({ schema: "orion.audit-verify/1", ok, origin, first, entries, checkpoints, signedUpTo, compared, logHead: head ?? null, findings, ms });
		else told(session, verified, findings, beside, ms);
		return ok ? 0 : VERIFICATION_FAILED;
	} finally {
		await beside.close();
	}
};

const keptNote = async (file: string): Promise<string> => {
	try {
		return await readFile(file, "utf8");
	} catch (error) {
		throw new OrionError("NOT_FOUND", { what: "checkpoint in", id: file, detail: error instanceof Error ? error.message : "It cannot be read." });
	}
};

export const showAuditEntry = async (session: Session, position: number, options: { readonly proof?: boolean }): Promise<number> => {
	const { entry, proof } = await session.waiting(() => "reading", auditEntry(here(session), position, options.proof === true));
	const text = new TextDecoder().decode(entry.bytes);
	const hex = (hash: Uint8Array): string => Buffer.from(hash).toString("hex");
	if (session.json) {
		const { index, file } = entry;
		const record: unknown = text === "" ? null : JSON.parse(text);
		session.print({
			schema: "orion.audit-entry/1",
			position,
			index,
			file,
			leaf: hex(entry.leaf),
			chain: hex(entry.chain),
			text,
			record,
			...(proof === undefined ? {} : { proof }),
		});
	} else if (proof !== undefined) session.say(proof.trimEnd());
	else {
		session.say(text === "" ? "(the log had no record here any more)" : plain(text));
		session.note(`leaf ${hex(entry.leaf)}, number ${entry.index} of the tree, in ${entry.file}`);
	}
	return 0;
};

/** A mesh that runs signs what it has now; without one the newest is the last it signed. */
const signNow = async (session: Session): Promise<void> => {
	try {
		await session.waiting(() => "signing", (await session.mesh()).post("/audit/checkpoint", {}));
	} catch (error) {
		if (!(error instanceof OrionError) || error.fault.code !== "NOT_RUNNING") throw error;
	}
};

/** The note alone goes to stdout, so that it can be kept as it is. */
export const showAuditCheckpoint = async (session: Session): Promise<number> => {
	const data = here(session);
	await signNow(session);
	const { note, verifier } = await auditCheckpoint(data);
	const [origin, size] = note.split("\n");
	if (session.json) session.print({ schema: "orion.audit-checkpoint/1", origin, size: Number(size), note, verifier });
	else {
		session.say(note.trimEnd());
		session.note(`Keep it where this host cannot write, with the key: ${verifier}\nLater: orion audit verify --checkpoint FILE`);
	}
	return 0;
};
