// Connects judged messages to the log: deduplicated, stamped, on disk before anyone is thanked; bad ones into quarantine, storms of them counted.
import type { Envelope } from "../../contracts/envelope.ts";
import { nodeOfSource, unknownFields } from "../../contracts/envelope.ts";
import { type Fault, fault, OrionError, sayFault } from "../../contracts/errors.ts";
import type { Gap } from "../../log/port.ts";
import type { RoomHere } from "./disk-room.ts";
import { gapOfEnvelope, type Journal, keyOfEnvelope } from "./journal.ts";
import type { Live, Pulse } from "./live.ts";
import type { World } from "./world.ts";

/** Who sent a message, as the broker knows it. */
export interface Sender {
	readonly node: string;
	readonly clientId: string;
}
export interface JudgedMessage {
	readonly identity: Sender;
	readonly topic: string;
	readonly envelope: Envelope;
	readonly bytes: Uint8Array;
}
export interface RejectedMessage {
	readonly identity: Sender;
	readonly topic: string;
	readonly bytes: Uint8Array;
	readonly fault: Fault;
}
export type KeptMessage =
	| { readonly kind: "stored"; readonly position: number }
	| { readonly kind: "duplicate" }
	| { readonly kind: "fork"; readonly position: number; readonly fault: Fault };

/** Bad messages of one sender that are kept whole per window; the rest is counted, so that a storm cannot fill the disk. */
const KEPT_PER_WINDOW_MAX = 20;
const WINDOW_MS = 60_000;
const KEPT_BYTES_MAX = 66_560;
const SURPLUS_MAX = 256;

interface Storm {
	beganMs: number;
	kept: number;
	notKept: number;
	lastDetail: string;
	lastPosition: number;
}

/** Who is told what the intake notices. */
export interface Told {
	/** Something for the operator, once per key. */
	notice(key: string, text: string): void;
	/** A node says that these numbers are gone for good, and the record that says so is durable. */
	gone(gap: Gap): void;
}

/** What is left of a disk is for safety and receipts, beside what core itself records. A will has no lane: its state is safety too. */
const isForTheReserve = ({ lane, type }: Envelope): boolean => lane === "safety" || lane === "decision" || type === "dev.orion.node.state.v1";

export class CoreIntake {
	readonly #journal: Journal;
	readonly #live: Live;
	readonly #world: World;
	readonly #storms = new Map<string, Storm>();
	readonly #surplus = new Set<string>();
	readonly #told: Told;
	readonly #room: RoomHere;

	constructor(
		journal: Journal,
		live: Live,
		world: World,
		told: Told = { notice: () => undefined, gone: () => undefined },
		room: RoomHere = { now: "enough", folder: "" },
	) {
		this.#journal = journal;
		this.#live = live;
		this.#world = world;
		this.#told = told;
		this.#room = room;
	}

	/** Resolves when durable. Rejects when the disk cannot take it: then nobody may be thanked. */
	async accept({ identity, topic, envelope, bytes }: JudgedMessage): Promise<KeptMessage> {
		if (!isForTheReserve(envelope)) this.#refuseWhenScarce();
		this.#reportSurplus(envelope);
		const key = keyOfEnvelope(envelope);
		const [outcome] = await this.#journal.append([{ envelope, bytes, ...(key === undefined ? {} : { key }) }]);
		if (outcome === undefined || outcome.kind === "stored") {
			const gap = gapOfEnvelope(envelope);
			if (gap !== undefined) this.#told.gone(gap);
			return { kind: "stored", position: outcome?.position ?? 0 };
		}
		if (outcome.kind === "duplicate") return { kind: "duplicate" };
		const found =
			key?.kind === "lane"
				? fault("IDENTITY_FORK", { source: envelope.source, key: `${key.session} ${key.lane} ${key.seq}` })
				: fault("ID_REUSED", { source: envelope.source, id: envelope.id });
		const { position } = await this.quarantine({ identity, topic, bytes, fault: found });
		return { kind: "fork", position, fault: found };
	}

	/** Nobody is thanked, so nothing is lost: whoever sent it has it, and sends it again. */
	#refuseWhenScarce(): void {
		if (this.#room.now === "scarce") throw new OrionError("DISK_FULL", { folder: this.#room.folder });
	}

	/** Resolves when it is durable, whole or as part of a count. Rejects as accept does. */
	async quarantine({ identity, topic, bytes, fault: found }: RejectedMessage): Promise<{ readonly position: number }> {
		this.#refuseWhenScarce();
		const storm = await this.#stormOf(identity.clientId);
		storm.lastDetail = sayFault(found).slice(0, 2_000);
		if (storm.kept >= KEPT_PER_WINDOW_MAX) {
			storm.notKept += 1;
			return { position: storm.lastPosition };
		}
		storm.kept += 1;
		const position = await this.#keep(identity, topic, bytes, found, storm.lastDetail).catch((error: unknown) => {
			storm.kept -= 1;
			throw error;
		});
		storm.lastPosition = position;
		return { position };
	}

	#keep(identity: Sender, topic: string, bytes: Uint8Array, found: Fault, detail: string): Promise<number> {
		const pointer = found.facts["pointer"];
		const contract = found.facts["schema"];
		return this.#journal.note("/core/intake", "dev.orion.quarantine.entry.v1", {
			identity: identity.clientId.slice(0, 64),
			topic: topic.slice(0, 1_024),
			code: found.code,
			...(typeof contract === "string" ? { contract: contract.slice(0, 128) } : {}),
			...(typeof pointer === "string" ? { pointer: pointer.slice(0, 1_024) } : {}),
			detail,
			...(bytes.byteLength <= KEPT_BYTES_MAX ? { bytesBase64: Buffer.from(bytes).toString("base64") } : {}),
			bytes: bytes.byteLength,
		});
	}

	/** Pulses and measurements: never waits, and a disk that is down or has little room loses only samples. */
	live({ envelope, bytes }: JudgedMessage): void {
		if ((envelope.type as string) === "dev.orion.node.pulse.v1") {
			const node = nodeOfSource(envelope.source);
			if (node !== undefined)
				this.#live.pulse(node, { ...(envelope.data as unknown as Pulse), ...(envelope.clockquality === undefined ? {} : { clock: envelope.clockquality }) });
			return;
		}
		if (this.#live.hear(envelope) && this.#room.now === "enough") this.#journal.append([{ envelope, bytes }]).catch(() => undefined);
	}

	/** Fields that no contract names are kept, and said once per source and type: a newer sender, or a misspelling. */
	#reportSurplus(envelope: Envelope): void {
		const fields = unknownFields(envelope);
		if (fields.length === 0) return;
		const key = `${envelope.source} ${envelope.type}`;
		if (this.#surplus.has(key) || this.#surplus.size >= SURPLUS_MAX) return;
		this.#surplus.add(key);
		this.#told.notice(
			`surplus ${key}`,
			`${envelope.source} sends fields that ${envelope.type} does not name: ${fields.slice(0, 5).join(", ").slice(0, 200)}; they are kept`,
		);
	}

	async #stormOf(sender: string): Promise<Storm> {
		const now = this.#world.clock.now();
		const storm = this.#storms.get(sender);
		if (storm !== undefined && now - storm.beganMs < WINDOW_MS) return storm;
		const next: Storm = { beganMs: now, kept: 0, notKept: 0, lastDetail: "", lastPosition: 0 };
		this.#storms.set(sender, next);
		if (storm !== undefined) await this.#count(sender, storm);
		return next;
	}

	async #count(sender: string, { notKept, lastDetail }: Storm): Promise<void> {
		if (notKept === 0) return;
		await this.#journal.note("/core/intake", "dev.orion.quarantine.storm.v1", {
			identity: sender.slice(0, 64),
			count: notKept,
			windowMs: WINDOW_MS,
			lastDetail: lastDetail || "none",
		});
	}

	/** Writes the counts of storms that are over; called from time to time, and at the end. */
	async settle(everything: "all" | "over"): Promise<void> {
		const now = this.#world.clock.now();
		for (const [sender, storm] of [...this.#storms]) {
			if (everything === "over" && now - storm.beganMs < WINDOW_MS) continue;
			this.#storms.delete(sender);
			await this.#count(sender, storm);
		}
	}
}
