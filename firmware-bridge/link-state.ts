// What a host knows of its board: the kinds of a link, what can come to it, what follows, and what counts as a fault.
import type { Instant } from "../contracts/time.ts";
import type { BoardFrame, BoardSensors, BoardStatus, HelloFromBoard, HostFrame, Pulses } from "./words.ts";

export type LinkFault =
	| "no-hello"
	| "no-answer"
	| "other-version"
	| "other-firmware"
	| "board-reset"
	| "other-tag"
	| "froze-unasked"
	| "off-unasked"
	| "refused"
	| "line-closed";

export type LinkKind = "closed" | "greeting" | "off" | "arming" | "armed" | "stopping" | "frozen" | "fault";

export interface Link {
	readonly kind: LinkKind;
	/** Of the newest request. Rises until the link is opened anew. */
	readonly seq: number;
	/** Since when this kind lasts. */
	readonly since: Instant;
	readonly hello: HelloFromBoard | undefined;
	/** Nonce that the next arm answers. */
	readonly nonce: number;
	readonly tag: number;
	/** The oldest request that is still to be answered. */
	readonly awaited: { readonly seq: number; readonly until: Instant } | undefined;
	readonly renewedAt: Instant;
	readonly askedAt: Instant;
	readonly fault: LinkFault | undefined;
	readonly faultDetail: string;
}

export type LinkInput = { readonly at: Instant } & (
	| { readonly kind: "opened" }
	| { readonly kind: "closed" }
	| { readonly kind: "time" }
	| { readonly kind: "frame"; readonly frame: BoardFrame }
	| { readonly kind: "arm"; readonly leaseMs: number; readonly freezeMs: number }
	/** The control loop lives. */
	| { readonly kind: "beat" }
	| { readonly kind: "pose"; readonly pulsesUs: Pulses }
	| { readonly kind: "stop" | "cut" }
	/** A person says that the fault was looked at: begin with the handshake. */
	| { readonly kind: "again" }
);

export type LinkNews =
	| { readonly kind: "off" | "armed" | "frozen" }
	| { readonly kind: "status"; readonly status: BoardStatus }
	| { readonly kind: "sensors"; readonly sensors: BoardSensors }
	| { readonly kind: "fault"; readonly fault: LinkFault; readonly detail: string };

export interface LinkStep {
	readonly link: Link;
	readonly send: readonly HostFrame[];
	readonly news: readonly LinkNews[];
}

/** Firmware that this host was built with; absent: any (a guard that was compiled here). */
export interface LinkTerms {
	readonly firmware: string | undefined;
}

const AGES_AGO = Number.NEGATIVE_INFINITY as Instant;

export const closedLink: Link = {
	kind: "closed",
	seq: 0,
	since: 0 as Instant,
	hello: undefined,
	nonce: 0,
	tag: 0,
	awaited: undefined,
	renewedAt: AGES_AGO,
	askedAt: AGES_AGO,
	fault: undefined,
	faultDetail: "",
};
