// What a capability of a node is: a part of the world that it reports on and may change, behind one small interface.
import type { RecordType, RecordTypes } from "../../contracts/envelope.ts";
import type { NodeSafety } from "../../contracts/gen/types.ts";
import type { NodeClock, Note, Timers } from "../../edge/ports.ts";
import type { Measured } from "../../edge/voice.ts";

export type Args = Readonly<Record<string, string | number | boolean>>;

export interface Outcome {
	readonly phase: "done" | "failed" | "unknown";
	readonly reason?: string;
	readonly detail?: string;
	readonly result?: Args;
}

export interface CapabilityContext {
	/** Resolves when it is on this node's disk. */
	emit<T extends RecordType>(type: T, data: RecordTypes[T]): Promise<void>;
	/** A measurement: sent now or never. */
	measure<T extends Measured>(type: T, data: RecordTypes[T]): void;
	/** State of this node's safe-stop as it is now. */
	safety(): NodeSafety["state"];
	readonly clock: NodeClock;
	readonly timers: Timers;
	readonly note: Note;
}

export type StopReason = "agent-stop" | "agent-leave";

export interface Capability {
	readonly name: string;
	/** Actions by name, each argument with the values that it may have. */
	readonly actions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
	/** Services that it looks after. */
	readonly services: readonly string[];
	/** Resolves when what it looks after is known and as it should be. */
	start(context: CapabilityContext): Promise<void>;
	/** "agent-stop": what it looks after ends too. "agent-leave": it goes on without the agent. */
	stop(reason: StopReason): Promise<void>;
	/** Never rejects for what can go wrong in the world; that is a failed outcome. */
	run(action: string, args: Args, command: string): Promise<Outcome>;
	/** What became of a command that was begun before this start; "unknown" rather than a guess. */
	probe(action: string, args: Args, command: string): Promise<Outcome>;
	/** Says once more how things are, for a core that may not know. */
	announce(): Promise<void>;
}
