// Decides what one line about a record holds: where it stands, when, who, what, how grave.
import { type Envelope, nodeOfSource } from "../../contracts/envelope.ts";
import type { Recorded } from "../record.ts";
import { gravityOf, sayRecord } from "./sentences.ts";

export interface LogRow {
	readonly position: number;
	/** Wall time of the append, RFC 3339; only for people. */
	readonly at: string;
	readonly type: string;
	/** Node that it came from; "core" for core's own records. */
	readonly node: string;
	readonly gravity: ReturnType<typeof gravityOf>;
	readonly text: string;
}

export const rowOf = ({ position, envelope }: Recorded): LogRow => ({
	position,
	at: envelope.recordedtime ?? envelope.time ?? "",
	type: envelope.type,
	node: nodeOfSource(envelope.source) ?? "core",
	gravity: gravityOf(envelope),
	text: sayRecord(envelope),
});

export interface LogFilter {
	/** Beginnings of types, with or without "dev.orion."; empty: every type. */
	readonly types: readonly string[];
	readonly node?: string;
}

export const passes = ({ types, node }: LogFilter, envelope: Envelope): boolean =>
	(types.length === 0 || types.some((start) => envelope.type.startsWith(start) || envelope.type.startsWith(`dev.orion.${start}`))) &&
	(node === undefined || (nodeOfSource(envelope.source) ?? "core") === node);
