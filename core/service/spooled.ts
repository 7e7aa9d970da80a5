// Connects a broker elsewhere to the same intake: at the broker, what is judged goes into its spool as it came; at core, what comes from a spool is judged again.
import { type Envelope, nodeOfSource, parseEnvelope } from "../../contracts/envelope.ts";
import { type Fault, fault, OrionError } from "../../contracts/errors.ts";
import type { Log } from "../../log/port.ts";
import { isDiskFull } from "./full-disk.ts";
import type { CoreIntake } from "./intake.ts";
import { coreEnvelope, type Incoming, type Journal, parseStored } from "./journal.ts";
import type { HostClock } from "./world.ts";

/** The journal of a broker: no clock records, no stamps, because the time of the append is core's to say. */
export const spoolJournal = (spool: Pick<Log, "append" | "read">, mesh: string, clock: HostClock): Journal & { readonly isFull: boolean } => {
	let bytesAppended = 0;
	let isFull = false;
	const entryOf = ({ envelope, bytes, key }: Incoming) => {
		const written = bytes ?? new TextEncoder().encode(JSON.stringify(envelope));
		bytesAppended += written.byteLength;
		return { bytes: written, ...(key === undefined ? {} : { key }) };
	};
	const append: Journal["append"] = async (inputs) => {
		try {
			const outcomes = await spool.append(inputs.map(entryOf));
			isFull = false;
			return outcomes;
		} catch (error) {
			isFull ||= isDiskFull(error);
			throw error;
		}
	};
	return {
		append,
		note: async (source, type, data, subject) => {
			const [outcome] = await append([{ envelope: coreEnvelope(mesh, clock.wall(), source, type, data, subject) }]);
			if (outcome?.kind !== "stored") throw new OrionError("LOG_CLOSED");
			return outcome.position;
		},
		appendOutputs: async (outputs) => {
			await append(outputs.map((envelope) => ({ envelope })));
		},
		tick: () => Promise.resolve(),
		read: async (from, recordsMax) => (await spool.read(from, recordsMax)).map(({ position, bytes }) => ({ position, envelope: parseStored(bytes) })),
		get bytesAppended() {
			return bytesAppended;
		},
		/** The last thing that was to be kept found no room. */
		get isFull() {
			return isFull;
		},
	};
};

/** What a broker notes itself; everything else is said by nodes. */
const NOTED: readonly string[] = ["dev.orion.quarantine.entry.v1", "dev.orion.quarantine.storm.v1", "dev.orion.log.loss.v1"];

const judge = (mesh: string, broker: string, envelope: Envelope): Fault | undefined => {
	const { source } = envelope;
	if (envelope.mesh !== undefined && envelope.mesh !== mesh) return fault("MESH_FOREIGN", { found: envelope.mesh, expected: mesh });
	const isFact = source === "/core/intake" && NOTED.includes(envelope.type);
	return isFact || nodeOfSource(source) !== undefined ? undefined : fault("SOURCE_FOREIGN", { source, identity: `broker ${broker}` });
};

export interface SpooledIntake {
	readonly intake: CoreIntake;
	readonly journal: Pick<Journal, "append">;
	readonly mesh: string;
}

/** Resolves when it is durable, stored or known, whole or in quarantine. Calls at once keep their order. */
export const acceptSpooled = async ({ intake, journal, mesh }: SpooledIntake, broker: string, bytes: Uint8Array): Promise<void> => {
	const topic = `orion:in:${broker}`;
	const parsed = parseEnvelope(bytes);
	const found = parsed.ok ? judge(mesh, broker, parsed.value) : parsed.fault;
	if (!parsed.ok || found !== undefined) {
		const identity = { node: broker, clientId: `${broker}.broker` };
		await intake.quarantine({ identity, topic, bytes, fault: found ?? fault("NOT_JSON", { detail: "unreadable" }) });
		return;
	}
	const envelope = parsed.value;
	const node = nodeOfSource(envelope.source);
	if (node !== undefined) await intake.accept({ identity: { node, clientId: node }, topic, envelope, bytes });
	else await journal.append([{ envelope, bytes, key: { kind: "id", source: `/brokers/${broker}`, id: envelope.id } }]);
};
