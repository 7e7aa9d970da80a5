// What the library asks, and what it may be answered: who decides is on the other side of this door.
import type { Fault } from "../contracts/errors.ts";
import type { Publication } from "./judge.ts";
import type { Certified, Identity, Refusal } from "./ports.ts";

export interface ConnectRequest {
	readonly clientId: string;
	readonly username?: string;
	readonly password?: Uint8Array;
	readonly will?: Omit<Publication, "qos"> & { readonly qos: number };
	readonly version: number;
	readonly remote: string;
	/** What the certificate of the connection says; absent: it has none. */
	readonly certified?: Certified;
}

export type Admission = { readonly ok: true; readonly identity: Identity } | { readonly ok: false; readonly fault: Fault };

/**
 * `taken`: acknowledged, and passed to nobody. `pass`: acknowledged and passed on, stripped of everything but topic and content.
 * `unchanged`: passed on with all that it had. `refused`: not taken, as MQTT has it. `cut`: no answer but the end of the connection.
 * `unanswered`: no answer, and the connection stays.
 */
export type Answer =
	| { readonly kind: "pass" | "unchanged" | "refused" }
	| { readonly kind: "taken"; readonly fault?: Fault }
	| { readonly kind: "cut" | "unanswered" };

/** Who decides; the library only carries. */
export interface Door {
	connect(request: ConnectRequest): Promise<Admission>;
	publish(identity: Identity, message: Publication, answer: (answer: Answer) => void): void;
	/** The last words of a connection that ended without a goodbye. */
	will(identity: Identity, message: Publication): void;
	maySubscribe(identity: Identity, filter: string): boolean;
	isUrgent(topic: string): boolean;
	urgent(identity: Identity, topic: string, bytes: Uint8Array): void;
	refused(refusal: Refusal): void;
}
