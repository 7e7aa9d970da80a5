// Connects `orion replay` to the whole log, of a running mesh or of its folder, and says whether today's engine decides the same, byte for byte.
import { type Envelope, encodeEnvelope } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import { sayDuration } from "../../contracts/time.ts";
import { type Divergence, type RawRecord, Replay } from "../../core/memory/replay.ts";
import { sayRecord } from "../../core/memory/sentences.ts";
import type { LogView } from "../../core/service/views.ts";
import { dataFolder } from "../roles/data-folder.ts";
import { grouped, plain } from "./layout.ts";
import type { MeshClient } from "./mesh-client.ts";
import type { Session } from "./session.ts";

const PAGE_RECORDS = 1_000;
const AROUND_BYTES = 60;
const DIVERGED = 8;

/** A whole log, oldest record first. */
interface Source {
	readonly mesh: string;
	readonly first: number;
	readonly head: number;
	read(from: number, recordsMax: number): Promise<readonly RawRecord[]>;
	close(): Promise<void>;
}

const sourceOfMesh = async (client: MeshClient): Promise<Source> => {
	const { mesh, first, rev } = await client.get<LogView>("/state/log?limit=1");
	return {
		mesh,
		first,
		head: rev,
		read: async (from, recordsMax) => {
			const { records } = await client.get<LogView>(`/state/log?from=${from}&limit=${recordsMax}`);
			// What core wrote is written by the same encoder, so these are the bytes that it wrote.
			return records.map(({ position, envelope }) => ({ position, envelope, bytes: encodeEnvelope(envelope) }));
		},
		close: async () => undefined,
	};
};

const sourceOfFolder = async (folder: string): Promise<Source> => {
	const [{ openStoppedLog }, { parseStored }] = await Promise.all([import("../roles/stopped-log.ts"), import("../../core/service/journal.ts")]);
	const { mesh, log } = await openStoppedLog(folder);
	return {
		mesh,
		first: log.first(),
		head: log.head(),
		read: async (from, recordsMax) => (await log.read(from, recordsMax)).map(({ position, bytes }) => ({ position, bytes, envelope: parseStored(bytes) })),
		close: () => log.close(),
	};
};

/** The running mesh, else the folder that it left. */
const openSource = async (session: Session): Promise<Source> => {
	try {
		return await sourceOfMesh(await session.mesh());
	} catch (error) {
		const away = error instanceof OrionError && error.fault.code === "NOT_RUNNING" && session.flags.url === undefined;
		if (!away) throw error;
		return sourceOfFolder(dataFolder(session.flags.data));
	}
};

const side = (envelope: Envelope | undefined, byte: number): string => {
	if (envelope === undefined) return "(nothing)";
	const bytes = encodeEnvelope(envelope);
	const from = Math.max(0, byte - AROUND_BYTES);
	const text = new TextDecoder().decode(bytes.subarray(from, Math.max(0, byte) + AROUND_BYTES));
	return `${from > 0 ? "…" : ""}${plain(text)}${Math.max(0, byte) + AROUND_BYTES < bytes.length ? "…" : ""}`;
};

const sayDivergence = (session: Session, found: Divergence, cause: Envelope | undefined): void => {
	const { paint } = session;
	session.say(
		[
			paint.red(`the answer to #${found.position} differs`),
			`  cause     #${found.position} ${cause === undefined ? "" : plain(sayRecord(cause))}`,
			`  output    ${found.index + 1}. of its outputs${found.byte < 0 ? "" : `, byte ${found.byte}`}; recorded by ${found.recordedBy}`,
			`  recorded  ${paint.green(side(found.recorded, found.byte))}`,
			`  replayed  ${paint.red(side(found.replayed, found.byte))}`,
		].join("\n"),
	);
};

/** Feeds the log to the engine up to its end or the first difference; the cause of a difference is read again to be named. */
const run = async (source: Source, replay: Replay, onPage: (position: number) => void): Promise<Envelope | undefined> => {
	for (let next = source.first; next <= source.head && replay.divergence === undefined; ) {
		const page = await source.read(next, Math.min(PAGE_RECORDS, source.head - next + 1));
		const last = page.at(-1);
		if (last === undefined) break;
		for (const record of page) replay.push(record);
		next = last.position + 1;
		onPage(last.position);
	}
	replay.finish();
	if (replay.divergence === undefined) return undefined;
	const [cause] = await source.read(replay.divergence.position, 1);
	return cause?.envelope;
};

export const runReplay = async (session: Session): Promise<number> => {
	const source = await openSource(session);
	try {
		if (source.first > 1) throw new OrionError("RECORDS_ARCHIVED", { position: 1, first: source.first });
		const beganMs = performance.now();
		const replay = new Replay(source.mesh);
		let position = 0;
		const cause = await session.waiting(
			() => `replayed ${grouped(position)} of ${grouped(source.head)}`,
			run(source, replay, (done) => {
				position = done;
			}),
		);
		const ms = Math.max(1, Math.round(performance.now() - beganMs));
		const found = replay.divergence;
		const counts = { records: source.head, inputs: replay.inputs, outputs: replay.outputs, ms };
		if (session.json)
			session.print({
				schema: "orion.replay/1",
				mesh: source.mesh,
				same: found === undefined,
				...counts,
				...(found === undefined ? {} : { divergence: { ...found, cause } }),
			});
		else if (found === undefined)
			session.say(
				`${session.paint.green("the same, byte for byte")}: ${grouped(counts.records)} records, ${grouped(counts.inputs)} inputs, ${grouped(counts.outputs)} outputs in ${sayDuration(ms)}`,
			);
		else sayDivergence(session, found, cause);
		return found === undefined ? 0 : DIVERGED;
	} finally {
		await source.close();
	}
};
