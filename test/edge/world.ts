// A world for edge tests: time that moves when it is told to, small files and logs that a crash can cut at every step, a core that signs.
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { OrionError } from "../../contracts/errors.ts";
import type { ActionCommand, CoreBeacon } from "../../contracts/gen/types.ts";
import { type ClockQuality, instant, wallTime } from "../../contracts/time.ts";
import type { KeptFiles, NodeClock, Note, Randomness, Timers } from "../../edge/ports.ts";
import { type CoreKeys, coreKeysOf, keyIdOf } from "../../edge/signed.ts";
import type { AppendOutcome, Entry, Log, StoredRecord } from "../../log/port.ts";

/** Time that only moves when a test says so. */
export class VirtualTime implements Timers {
	#nowMs = 1_000;
	#timers: { dueMs: number; order: number; run: () => void }[] = [];
	#order = 0;

	after(delayMs: number, run: () => void): () => void {
		const timer = { dueMs: this.#nowMs + delayMs, order: this.#order++, run };
		this.#timers.push(timer);
		return () => {
			this.#timers = this.#timers.filter((other) => other !== timer);
		};
	}

	/** Timers that wait for their time. */
	get waiting(): number {
		return this.#timers.length;
	}

	get nowMs(): number {
		return this.#nowMs;
	}

	/** Lets everything that is ready happen without time passing. */
	async settle(): Promise<void> {
		for (let round = 0; round < 12; round++) await new Promise<void>((resolve) => setImmediate(resolve));
	}

	async advance(ms: number): Promise<void> {
		const untilMs = this.#nowMs + ms;
		await this.settle();
		for (;;) {
			const next = [...this.#timers].filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
			if (next === undefined) break;
			this.#timers = this.#timers.filter((other) => other !== next);
			this.#nowMs = Math.max(this.#nowMs, next.dueMs);
			next.run();
			await this.settle();
		}
		this.#nowMs = untilMs;
		await this.settle();
	}

	/** Time passes at once, as when a host slept: what was due comes late. */
	jump(ms: number): void {
		this.#nowMs += ms;
	}

	clock(): NodeClock {
		return {
			now: () => instant(this.#nowMs),
			bootMs: () => this.#nowMs,
			wall: () => wallTime(1_700_000_000_000 + this.#nowMs),
			quality: (): ClockQuality => "unsynced",
		};
	}
}

/** Small files that are either written whole or not at all. */
export class MemoryFiles implements KeptFiles {
	readonly texts = new Map<string, string>();
	readonly secrets = new Set<string>();
	read(name: string): Promise<string | undefined> {
		return Promise.resolve(this.texts.get(name));
	}
	write(name: string, text: string, secret: "secret" | "plain"): Promise<void> {
		this.texts.set(name, text);
		if (secret === "secret") this.secrets.add(name);
		return Promise.resolve();
	}
}

/** What is on a disk survives every crash; a log on it is one life of a process. */
export class Disk {
	readonly records: Uint8Array[] = [];
	readonly cursors = new Map<string, number>();
	/** Appends over all lives. */
	appends = 0;
	/** The process dies at this append: before it is on disk, or just after. */
	dies: { readonly at: number; readonly when: "before" | "after" } | undefined;
	full = false;
	onAppend: (bytes: Uint8Array) => void = () => undefined;

	log(): Log {
		let dead = false;
		const never = new Promise<never>(() => undefined);
		const append = async (batch: readonly Entry[]): Promise<readonly AppendOutcome[]> => {
			await Promise.resolve();
			if (dead) return never;
			if (this.full) throw new OrionError("DISK_FULL", { folder: "disk" });
			this.appends += 1;
			if (this.dies?.at === this.appends && this.dies.when === "before") {
				dead = true;
				return never;
			}
			const outcomes = batch.map(({ bytes }): AppendOutcome => ({ kind: "stored", position: this.records.push(bytes) }));
			for (const { bytes } of batch) this.onAppend(bytes);
			if (this.dies?.at === this.appends) {
				dead = true;
				return never;
			}
			return outcomes;
		};
		return {
			append,
			head: () => this.records.length,
			first: () => 1,
			read: (from, recordsMax) =>
				dead
					? never
					: Promise.resolve(this.records.slice(from - 1, from - 1 + recordsMax).map((bytes, index): StoredRecord => ({ position: from + index, bytes }))),
			onCommit: () => () => undefined,
			cursor: (reader) => this.cursors.get(reader) ?? 0,
			setCursor: (reader, position) => {
				if (!dead) this.cursors.set(reader, Math.max(position, this.cursors.get(reader) ?? 0));
				return Promise.resolve();
			},
			lanes: () => [],
			gaps: () => [],
			closeGap: () => undefined,
			archive: () => Promise.resolve(0),
			close: () => Promise.resolve(),
		};
	}
}

export const noSweep = (): Promise<void> => Promise.resolve();

export const seededRandomness = (seed = 1): Randomness => {
	let state = seed;
	const next = (): number => {
		state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
		return state / 2_147_483_648;
	};
	return { ratio: next, hex: (bytes) => Array.from({ length: bytes * 2 }, () => Math.floor(next() * 16).toString(16)).join("") };
};

export class Notes {
	readonly lines: { readonly event: string; readonly facts: Readonly<Record<string, string | number | boolean>> }[] = [];
	readonly note: Note = (event, facts = {}) => {
		this.lines.push({ event, facts });
	};
	of(event: string): readonly Readonly<Record<string, string | number | boolean>>[] {
		return this.lines.filter((line) => line.event === event).map(({ facts }) => facts);
	}
}

/** A core that signs, as the real one does: the header exactly, the payload as JSON.stringify writes it. */
export class Signer {
	readonly #key: KeyObject;
	readonly publicKey: string;
	readonly keyId: string;

	constructor() {
		const { privateKey, publicKey } = generateKeyPairSync("ed25519");
		this.#key = privateKey;
		this.publicKey = publicKey.export({ format: "jwk" }).x ?? "";
		this.keyId = keyIdOf(this.publicKey);
	}

	sign(kind: string, payload: unknown, header: object = { alg: "EdDSA", kid: this.keyId, typ: kind }): Uint8Array {
		const part = (value: unknown): string => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
		const signed = `${part(header)}.${part(payload)}`;
		return Buffer.from(`${signed}.${sign(null, Buffer.from(signed), this.#key).toString("base64url")}`);
	}

	command(command: ActionCommand): Uint8Array {
		return this.sign("orion-command+jws", command);
	}

	beacon(beacon: CoreBeacon): Uint8Array {
		return this.sign("orion-beacon+jws", beacon);
	}
}

export const keysOf = (...signers: readonly Signer[]): CoreKeys =>
	coreKeysOf(
		"node.json",
		signers.map(({ keyId, publicKey }) => ({ keyId, publicKey })),
	);

export const POLICY = `sha256:${"a".repeat(64)}`;
export const OTHER_POLICY = `sha256:${"b".repeat(64)}`;

export const commandOf = (signer: Pick<Signer, "keyId">, change: Partial<ActionCommand> = {}): ActionCommand => ({
	v: 1,
	mesh: "mesh-1",
	node: "pi-1",
	command: "act-1",
	action: "process.restart",
	args: { service: "web" },
	incident: "inc-1",
	decision: "dec-1",
	policyHash: POLICY,
	coreTerm: { counter: 3, keyId: signer.keyId },
	seq: 10,
	notAfterMs: 10_000,
	session: "5.00000000000000aa",
	tick: 1_000,
	...change,
});

export const beaconOf = (signer: Pick<Signer, "keyId">, change: Partial<CoreBeacon> = {}): CoreBeacon => ({
	v: 1,
	mesh: "mesh-1",
	coreTerm: { counter: 3, keyId: signer.keyId },
	counter: 1,
	level: "N2",
	policyHash: POLICY,
	latched: [],
	ticks: {},
	...change,
});
