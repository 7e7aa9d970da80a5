// What the service around the engine offers to whoever shows or steers the mesh (HTTP, command line), and what it asks of the world.
import type { Envelope, RecordTypes } from "../../contracts/envelope.ts";
import type { Result } from "../../contracts/result.ts";
import type { StopVerb } from "../../contracts/stop-order.ts";
import type { ClockQuality } from "../../contracts/time.ts";
import type { Level } from "../policy.ts";
import type { Approval, EngineState } from "../state.ts";
import type { MotionAsked, MotionOpened, MoverHeard } from "./motion-leases.ts";
import type { QuarantineDesk } from "./quarantine.ts";
import type { StopAnswer, StoppedNode } from "./stops.ts";
import type { Tally } from "./tally.ts";

export interface CoreTerm {
	readonly counter: number;
	readonly keyId: string;
}

/** A record of the log with its parsed message. */
export interface LogRecord {
	readonly position: number;
	readonly envelope: Envelope;
}

/** Who may connect, or might until it was taken back. */
export interface KnownNode {
	readonly node: string;
	readonly addedWallMs: number;
	/** It publishes events and is no node. */
	readonly client?: boolean;
	readonly revokedWallMs?: number;
	/** End of the certificate that is good for longest; absent: it has none that counts. */
	readonly certificateUntilWallMs?: number;
}

/** What ended with a credential: serials of certificates, hex. */
export interface NodeTaken {
	readonly node: string;
	readonly certificates: readonly string[];
}

/** The newest things heard that are not, or not all, recorded: measurements and pulses. */
export interface LiveNode {
	readonly node: string;
	/** Newest host.metrics, with how long ago it came, milliseconds. */
	readonly metrics?: Envelope<"dev.orion.host.metrics.v1">["data"];
	readonly metricsAgeMs?: number;
	/** Newest pulse. */
	readonly session?: string;
	readonly tick?: number;
	readonly pulseAgeMs?: number;
	readonly safety?: string;
	readonly version?: string;
	/** Messages that wait there for their PUBACK. */
	readonly outboxCount?: number;
	/** What it keeps until core has it. */
	readonly outboxBytes?: number;
	/** What it writes into its outbox a day. */
	readonly outboxDailyBytes?: number;
	/** What the node knows of its wall clock. */
	readonly clock?: ClockQuality;
	readonly connected: boolean;
	/** Measurements that were not recorded because only samples are. */
	readonly metricsNotRecorded: number;
}

export interface Notice {
	readonly severity: "info" | "warning" | "error";
	readonly text: string;
}

/** A copy of the log elsewhere. */
export interface CopyView {
	readonly url: string;
	readonly state: "connecting" | "mirroring" | "away" | "refused";
	/** Up to which position, and how many records are missing there. */
	readonly upTo: number;
	readonly lag: number;
}

/** A broker elsewhere. */
export interface BrokerView {
	readonly broker: string;
	readonly state: "never heard" | "here" | "silent";
	/** Records in its spool that are not here yet, as it said last. */
	readonly lag: number;
	readonly nodes: readonly string[];
	readonly silentMs?: number;
	/** Its disk takes nothing, as it said last. */
	readonly full?: boolean;
	/** What it writes to its disk a day. */
	readonly bytesPerDay?: number;
}

/** What parts outside of core show in its status. */
export interface Outside {
	readonly redis?: () => CopyView;
	readonly brokers?: {
		view(): readonly BrokerView[];
		/** Up to when none of them held anything that is missing here, ms of core's clock; -Infinity while one is silent, behind, or was never heard. */
		spoolsEmptyMs(): number;
	};
}

export interface CoreInfo {
	readonly redis?: CopyView;
	readonly brokers?: readonly BrokerView[];
	readonly mesh: string;
	readonly code: string;
	readonly commit: string;
	readonly term: CoreTerm;
	readonly startedWallMs: number;
	/** Newest durable record, newest decided input, and oldest record that is still here. */
	readonly head: number;
	readonly decidedUpTo: number;
	readonly first: number;
	/** Bytes appended since the start: what the disk has to bear. */
	readonly bytesAppended: number;
	readonly mqtt: string;
	readonly http: string;
	readonly data: string;
	/** The node of this host: who alerts that come in over HTTP speak for. */
	readonly host: string;
}

type Decided = RecordTypes["dev.orion.approval.decided.v1"];

/** What a person says to a question; `approval` is its id or the beginning of it. A yes without the hash of what was shown counts for nothing. */
export type ApprovalAnswer = Decided;

export interface ApprovalDesk {
	/**
	 * Resolves when it is known what came of it. Faults: NOT_FOUND, AMBIGUOUS, APPROVAL_OVER, APPROVAL_REFUSED.
	 * `id`: of the record, where the same answer may come twice; the second time it is told what came of the first (position 0).
	 */
	decideApproval(
		answer: ApprovalAnswer,
		id?: string,
	): Promise<Result<{ readonly approval: string; readonly status: Approval["status"]; readonly position: number }>>;
	/** A person takes back what was approved and done, with the action that the policy names for it. Faults: as above. */
	undoApproval(
		order: RecordTypes["dev.orion.approval.undone.v1"],
	): Promise<Result<{ readonly approval: string; readonly action: string; readonly position: number }>>;
	/** A person who could decide looked at it; recorded once for each person and way. */
	sawApproval(approval: string, by: string, via: Decided["via"]): Promise<Result<{ readonly approval: string }>>;
}

/** Everything that the HTTP API and the command line may ask of a running core. */
export interface CoreDesk extends ApprovalDesk {
	info(): CoreInfo;
	state(): EngineState;
	live(): readonly LiveNode[];
	/** Things an operator should know now: a policy that was not taken over, a parked reader, a damaged record. */
	notices(): readonly Notice[];
	/** What was counted since the start. */
	tally(): Tally;
	/** Records from a position on, in order; at most recordsMax (1,000). */
	records(from: number, recordsMax: number): Promise<readonly LogRecord[]>;
	/** Called with each new durable head; returns how to stop. */
	onRecords(listener: (head: number) => void): () => void;
	/** An event that came in by HTTP: judged like one on MQTT, resolves when durable. `by` is the source it may speak for. */
	submit(bytes: Uint8Array): Promise<Result<{ readonly position: number; readonly id: string; readonly duplicate: boolean }>>;
	setLevel(level: Level, by: string, why: string | undefined): Promise<{ readonly position: number; readonly before: Level }>;
	/** A person says that something was mended: the breaker of this open incident closes, and it is decided again. */
	retry(incident: string, by: string): Promise<Result<{ readonly incident: string; readonly key: string; readonly position: number }>>;
	/** Stop or cut, at once; resolves when every node said so, or after 2 s. `target`: a node, or all. */
	stop(verb: StopVerb, target: string, by: string, via: string): Promise<StopAnswer>;
	/** A person takes a latched stop back; resolves when the node said so, or after 4 s. */
	release(node: string, by: string, via: string): Promise<Result<StoppedNode>>;
	/** A person takes a node that moves; whether it takes the person is said in its pulse. */
	openLease(asked: MotionAsked): Promise<Result<MotionOpened>>;
	/** Carries what the holder signed, and answers with the node's newest word. */
	renewLease(node: string, lease: string, signed: string): Result<MoverHeard>;
	endLease(node: string, lease: string, signed: string): Result<MoverHeard>;
	nodes(): readonly KnownNode[];
	addNode(node: string, by: string, client: boolean): Promise<Result<{ readonly node: string; readonly username: string; readonly password: string }>>;
	removeNode(node: string, by: string): Promise<Result<NodeTaken>>;
	/** Password and certificates end at once, and who is connected with them is put out; what is known of the node stays, and it may join anew. */
	revokeNode(node: string, by: string): Promise<Result<NodeTaken>>;
	/** A checkpoint over everything that is in the log now, so that it can be kept elsewhere. */
	signAudit(): Promise<Result<{ readonly signedUpTo: number }>>;
	/** Somebody had the audit verified: what came of it is a record. */
	verifiedAudit(verified: RecordTypes["dev.orion.audit.verified.v1"]): Promise<void>;
	/** Messages that broke their contract, for a person to look at. */
	readonly quarantine: QuarantineDesk;
	/** Reads the policy files again; a bad policy is not taken over, and notices say so. */
	reloadPolicy(by: string): Promise<Result<{ readonly hash: string; readonly changed: boolean }>>;
}
