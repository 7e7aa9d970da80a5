// Decides what the frames on the line mean: parser and encoder of everything that host and board say to each other (PROTOCOL.md).
import { fail } from "../contracts/errors.ts";
import { ok, type Result, unreachable } from "../contracts/result.ts";
import { RunSplitter, unwrap, wrap } from "./wire.ts";
import {
	BOARD_BODY_BYTES,
	BOARD_TYPES,
	BOARDS,
	type BoardFrame,
	type BoardSensors,
	type BoardStatus,
	CAUSES,
	HEADER_BYTES,
	type HelloFromBoard,
	HOST_BODY_BYTES,
	HOST_TYPES,
	type HostFrame,
	JOINT_COUNT,
	REASONS,
	STATES,
} from "./words.ts";

const lookUp = <T extends Readonly<Record<number, string>>>(table: T, code: number): T[keyof T] | undefined => table[code] as T[keyof T] | undefined;
const codeOf = (table: Readonly<Record<number, string>>, word: string): number => Number(Object.keys(table).find((code) => table[Number(code)] === word));

const start = (type: number, seq: number, bodyBytes: number): { content: Uint8Array; body: DataView } => {
	const content = new Uint8Array(HEADER_BYTES + bodyBytes);
	content[0] = type;
	new DataView(content.buffer).setUint32(1, seq, true);
	return { content, body: new DataView(content.buffer, HEADER_BYTES) };
};

const setTag = (body: DataView, at: number, tag: number): void => {
	body.setUint16(at, tag & 0xffff, true);
	body.setUint8(at + 2, tag >> 16);
};
const getTag = (body: DataView, at: number): number => body.getUint16(at, true) | (body.getUint8(at + 2) << 16);

export const encodeHost = (frame: HostFrame): Uint8Array => {
	const { content, body } = start(codeOf(HOST_TYPES, frame.kind), frame.seq, HOST_BODY_BYTES[frame.kind]);
	switch (frame.kind) {
		case "hello":
			body.setUint8(0, frame.version);
			break;
		case "arm":
			body.setUint32(0, frame.answer, true);
			body.setUint16(4, frame.leaseMs, true);
			body.setUint16(6, frame.freezeMs, true);
			break;
		case "pose":
			frame.pulsesUs.forEach((pulseUs, joint) => {
				body.setUint16(3 + 2 * joint, pulseUs, true);
			});
			setTag(body, 0, frame.tag);
			break;
		case "renew":
			setTag(body, 0, frame.tag);
			break;
		case "status":
		case "stop":
		case "cut":
			break;
		default:
			return unreachable(frame);
	}
	return wrap(content);
};

const opened = (content: Uint8Array, types: Readonly<Record<number, string>>, bodyBytes: Readonly<Record<string, number>>) => {
	const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
	const kind = content.length < HEADER_BYTES ? undefined : types[view.getUint8(0)];
	if (kind === undefined) return fail("FRAME_INVALID", { detail: content.length < HEADER_BYTES ? "too short" : `unknown type ${view.getUint8(0)}` });
	const found = content.length - HEADER_BYTES;
	if (found !== bodyBytes[kind]) return fail("FRAME_INVALID", { detail: `${kind} with ${found} bytes` });
	return ok({ kind, seq: view.getUint32(1, true), body: new DataView(content.buffer, content.byteOffset + HEADER_BYTES, found) });
};

/** Content (type, seq, body) -> what a host says. Ranges are the board's to judge. */
export const decodeHost = (content: Uint8Array): Result<HostFrame> => {
	const open = opened(content, HOST_TYPES, HOST_BODY_BYTES);
	if (!open.ok) return open;
	const { seq, body } = open.value;
	const kind = open.value.kind as HostFrame["kind"];
	switch (kind) {
		case "hello":
			return ok({ kind, seq, version: body.getUint8(0) });
		case "arm":
			return ok({ kind, seq, answer: body.getUint32(0, true), leaseMs: body.getUint16(4, true), freezeMs: body.getUint16(6, true) });
		case "renew":
			return ok({ kind, seq, tag: getTag(body, 0) });
		case "pose":
			return ok({ kind, seq, tag: getTag(body, 0), pulsesUs: Array.from({ length: JOINT_COUNT }, (_, joint) => body.getUint16(3 + 2 * joint, true)) });
		case "status":
		case "stop":
		case "cut":
			return ok({ kind, seq });
		default:
			return unreachable(kind);
	}
};

const unknownCode = (what: string, code: number) => fail("FRAME_INVALID", { detail: `unknown ${what} ${code}` });

const decodeHello = (seq: number, body: DataView): Result<HelloFromBoard> => {
	const board = lookUp(BOARDS, body.getUint8(1));
	const state = lookUp(STATES, body.getUint8(15));
	if (board === undefined) return unknownCode("board", body.getUint8(1));
	if (state === undefined) return unknownCode("state", body.getUint8(15));
	const firmware = Array.from({ length: 8 }, (_, at) =>
		body
			.getUint8(2 + at)
			.toString(16)
			.padStart(2, "0"),
	).join("");
	return ok({ kind: "hello", seq, version: body.getUint8(0), board, firmware, nonce: body.getUint32(10, true), resetCause: body.getUint8(14), state });
};

const decodeStatus = (seq: number, body: DataView): Result<BoardStatus> => {
	const state = lookUp(STATES, body.getUint8(0));
	const cause = lookUp(CAUSES, body.getUint8(1));
	if (state === undefined) return unknownCode("state", body.getUint8(0));
	if (cause === undefined) return unknownCode("cause", body.getUint8(1));
	return ok({
		kind: "status",
		seq,
		state,
		cause,
		tag: getTag(body, 2),
		lastSeq: body.getUint32(5, true),
		leaseLeftMs: body.getUint16(9, true),
		poweredGroups: body.getUint8(11),
		refused: body.getUint16(12, true),
		damaged: body.getUint16(14, true),
		uptimeMs: body.getUint32(16, true),
	});
};

const decodeSensors = (seq: number, body: DataView): Result<BoardSensors> => {
	const valid = body.getUint8(18);
	const three = (at: number): [number, number, number] => [body.getInt16(at, true), body.getInt16(at + 2, true), body.getInt16(at + 4, true)];
	return ok({
		kind: "sensors",
		seq,
		...((valid & 1) !== 0 && { servoMv: body.getUint16(0, true) }),
		...((valid & 2) !== 0 && { boardMv: body.getUint16(2, true) }),
		...((valid & 4) !== 0 && { accelMg: three(4), gyroDeciDps: three(10) }),
		...((valid & 8) !== 0 && { rangeMm: body.getUint16(16, true) }),
	});
};

/** Content (type, seq, body) -> what a board says. */
export const decodeBoard = (content: Uint8Array): Result<BoardFrame> => {
	const open = opened(content, BOARD_TYPES, BOARD_BODY_BYTES);
	if (!open.ok) return open;
	const { seq, body } = open.value;
	const kind = open.value.kind as BoardFrame["kind"];
	switch (kind) {
		case "hello":
			return decodeHello(seq, body);
		case "status":
			return decodeStatus(seq, body);
		case "sensors":
			return decodeSensors(seq, body);
		case "refused": {
			const type = lookUp(HOST_TYPES, body.getUint8(0));
			const reason = lookUp(REASONS, body.getUint8(1));
			if (type === undefined) return unknownCode("type", body.getUint8(0));
			return reason === undefined ? unknownCode("reason", body.getUint8(1)) : ok({ kind, seq, type, reason });
		}
		default:
			return unreachable(kind);
	}
};

export type Heard<F> = { readonly kind: "frame"; readonly frame: F } | { readonly kind: "noise"; readonly detail: string };

/** Bytes in any pieces -> frames and noise, in the order they came. */
export class FrameReader<F> {
	readonly #splitter = new RunSplitter();
	readonly #decode: (content: Uint8Array) => Result<F>;
	constructor(decode: (content: Uint8Array) => Result<F>) {
		this.#decode = decode;
	}

	push(piece: Uint8Array): readonly Heard<F>[] {
		return this.#splitter.push(piece).map((run): Heard<F> => {
			if (run === "too long") return { kind: "noise", detail: "run too long" };
			const content = unwrap(run);
			if (content === undefined) return { kind: "noise", detail: "stuffing or checksum" };
			const decoded = this.#decode(content);
			return decoded.ok ? { kind: "frame", frame: decoded.value } : { kind: "noise", detail: String(decoded.fault.facts["detail"]) };
		});
	}
}
