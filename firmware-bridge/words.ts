// The words of the line to what moves: numbers, kinds of frames, and the codes that stand for them (PROTOCOL.md).

export const PROTOCOL_VERSION = 1;
export const JOINT_COUNT = 18;
export const LEASE_MS_MAX = 500;
export const FREEZE_MS_MAX = 5_000;
export const PULSE_US_MIN = 500;
export const PULSE_US_MAX = 2_500;

/** Pulse widths in microseconds, leg 1 coxa, femur, tibia, leg 2 coxa, ...; 0 = no pulse. */
export type Pulses = readonly number[];

export type HostFrame =
	| { readonly kind: "hello"; readonly seq: number; readonly version: number }
	| { readonly kind: "arm"; readonly seq: number; readonly answer: number; readonly leaseMs: number; readonly freezeMs: number }
	| { readonly kind: "renew"; readonly seq: number; readonly tag: number }
	| { readonly kind: "pose"; readonly seq: number; readonly tag: number; readonly pulsesUs: Pulses }
	| { readonly kind: "status"; readonly seq: number }
	| { readonly kind: "stop"; readonly seq: number }
	| { readonly kind: "cut"; readonly seq: number };

export const BOARDS = { 1: "leg-board", 2: "linux-guard" } as const;
export const STATES = { 0: "off", 1: "armed", 2: "frozen" } as const;
export const CAUSES = { 0: "boot", 1: "lease-ran-out", 2: "stop", 3: "cut", 4: "freeze-over", 5: "chip-fault", 6: "armed" } as const;
export const REASONS = {
	1: "wrong-state",
	2: "wrong-answer",
	3: "time-out-of-range",
	4: "other-arming",
	5: "seq-not-rising",
	6: "pulse-out-of-range",
	7: "version",
	8: "chip-not-ready",
} as const;

type BoardKind = (typeof BOARDS)[keyof typeof BOARDS];
type BoardState = (typeof STATES)[keyof typeof STATES];
type BoardCause = (typeof CAUSES)[keyof typeof CAUSES];
type RefusalReason = (typeof REASONS)[keyof typeof REASONS];

export interface HelloFromBoard {
	readonly kind: "hello";
	readonly seq: number;
	readonly version: number;
	readonly board: BoardKind;
	/** First eight bytes of the hash of its sources, in hex. */
	readonly firmware: string;
	readonly nonce: number;
	/** Bits: 1 power, 2 reset pin, 4 brown-out, 8 watchdog. */
	readonly resetCause: number;
	readonly state: BoardState;
}

export interface BoardStatus {
	readonly kind: "status";
	readonly seq: number;
	readonly state: BoardState;
	readonly cause: BoardCause;
	readonly tag: number;
	readonly lastSeq: number;
	readonly leaseLeftMs: number;
	readonly poweredGroups: number;
	readonly refused: number;
	readonly damaged: number;
	readonly uptimeMs: number;
}

/** What is not known is absent. */
export interface BoardSensors {
	readonly kind: "sensors";
	readonly seq: number;
	readonly servoMv?: number;
	readonly boardMv?: number;
	readonly accelMg?: readonly [number, number, number];
	readonly gyroDeciDps?: readonly [number, number, number];
	readonly rangeMm?: number;
}

interface BoardRefusal {
	readonly kind: "refused";
	readonly seq: number;
	readonly type: HostFrame["kind"];
	readonly reason: RefusalReason;
}

export type BoardFrame = HelloFromBoard | BoardStatus | BoardRefusal | BoardSensors;

export const HOST_TYPES = { 1: "hello", 2: "arm", 3: "renew", 4: "pose", 5: "status", 6: "stop", 7: "cut" } as const;
export const BOARD_TYPES = { 129: "hello", 130: "status", 131: "refused", 132: "sensors" } as const;
export const HOST_BODY_BYTES: Readonly<Record<HostFrame["kind"], number>> = {
	hello: 1,
	arm: 8,
	renew: 3,
	pose: 3 + 2 * JOINT_COUNT,
	status: 0,
	stop: 0,
	cut: 0,
};
export const BOARD_BODY_BYTES: Readonly<Record<BoardFrame["kind"], number>> = { hello: 16, status: 20, refused: 2, sensors: 19 };
export const HEADER_BYTES = 5;

/** The nonce's part that every renewal and pose of an arming carries. */
export const tagOf = (nonce: number): number => nonce & 0xffffff;
/** What arm must answer to a nonce. */
export const answerTo = (nonce: number): number => ~nonce >>> 0;
