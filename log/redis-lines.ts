// Connects core to the brokers elsewhere: reads their streams in order and without holes, says how far it is, and hands on what is for their nodes.
import { type BrokerWord, bridgeNames, type CoreWord, encodeWord, parseBrokerWord } from "../contracts/bridge.ts";
import { sayFault } from "../contracts/errors.ts";
import type { Position } from "./port.ts";
import { connectRedis, faultOf, listOf, mapOf, type RedisAnswer, type RedisConnection, type RedisOptions, textOf } from "./redis-connection.ts";

export interface SpooledRecord {
	readonly broker: string;
	readonly bytes: Uint8Array;
}

export interface LinesOptions extends Pick<RedisOptions, "url" | "ca"> {
	readonly brokers: readonly string[];
	readonly timers: { after(delayMs: number, run: () => void): () => void };
	readonly now: () => number;
	/** Durable when it resolves; a record that comes again changes nothing. */
	readonly accept: (records: readonly SpooledRecord[]) => Promise<void>;
	/** Up to where a spool was read; durable when it resolves. */
	readonly cursor: (broker: string, epoch: string) => Position;
	readonly setCursor: (broker: string, epoch: string, position: Position) => Promise<void>;
	/** A spool has not kept what is missing here. */
	readonly lost: (broker: string, from: Position, to: Position) => Promise<void>;
	readonly heard: (broker: string, word: Exclude<BrokerWord, { readonly kind: "here" }>) => void;
	/** A broker said that it is here: `rows` is the register of nodes that it has; a new one needs to hear what stays visible. */
	readonly came: (broker: string, said: { readonly rows: string; readonly isNew: boolean }) => void;
	readonly notice: (text: string | undefined) => void;
}

export interface LineView {
	readonly broker: string;
	readonly state: "never heard" | "here" | "silent";
	/** Records in its spool that are not here yet; as it said last. */
	readonly lag: number;
	readonly nodes: readonly string[];
	readonly silentMs?: number;
	/** Its disk takes nothing, as it said last. */
	readonly full?: boolean;
	/** What it writes to its disk a day. */
	readonly bytesPerDay?: number;
}

interface Line {
	readonly broker: string;
	epoch: string | undefined;
	first: Position;
	head: Position;
	lostUpTo: Position;
	nodes: readonly string[];
	heardMs: number | undefined;
	wantsSync: boolean;
	disk: Pick<LineView, "full" | "bytesPerDay">;
}

const ANSWER_WITHIN_MS = 10_000;
const BLOCK_MS = 250;
const PAGE_RECORDS = 512;
const SILENT_AFTER_MS = 4_000;
const RETRY_MS = 500;

export class BrokerLines {
	readonly #options: LinesOptions;
	readonly #lines: ReadonlyMap<string, Line>;
	#connections: readonly RedisConnection[] = [];
	#running: Promise<void> = Promise.resolve();
	#wake: () => void = () => undefined;
	#stopped = false;

	constructor(options: LinesOptions) {
		this.#options = options;
		const unheard = { epoch: undefined, first: 1, head: 0, lostUpTo: 0, nodes: [], heardMs: undefined, wantsSync: false, disk: {} };
		this.#lines = new Map(options.brokers.map((broker) => [broker, { broker, ...unheard }]));
	}

	start(): void {
		this.#running = this.#run();
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		this.#wake();
		for (const connection of this.#connections) connection.end();
		await this.#running;
	}

	view(): readonly LineView[] {
		return [...this.#lines.values()].map((line): LineView => {
			const { broker, nodes, heardMs, head } = line;
			const lag = line.epoch === undefined ? 0 : Math.max(0, head - this.#options.cursor(broker, line.epoch));
			if (heardMs === undefined) return { broker, state: "never heard", lag, nodes: [] };
			const silentMs = this.#options.now() - heardMs;
			return silentMs <= SILENT_AFTER_MS
				? { broker, state: "here", lag, nodes, ...line.disk }
				: { broker, state: "silent", lag, nodes: [], silentMs, ...line.disk };
		});
	}

	/** Up to when no spool held anything that is missing here, ms of `now`; -Infinity while one is silent, behind, or was never heard. */
	spoolsEmptyMs(): number {
		const { now, cursor } = this.#options;
		return Math.min(
			...[...this.#lines.values()].map(({ broker, epoch, head, heardMs }) =>
				epoch === undefined || heardMs === undefined || now() - heardMs > SILENT_AFTER_MS || head > cursor(broker, epoch) ? Number.NEGATIVE_INFINITY : heardMs,
			),
		);
	}

	/** The broker that holds this node's connection now. */
	brokerOf(node: string): string | undefined {
		return this.view().find(({ nodes }) => nodes.includes(node))?.broker;
	}

	/** The broker that held it last, and whether that one is heard; undefined: none did. */
	holderOf(node: string): { readonly name: string; readonly isHeard: boolean } | undefined {
		const line = [...this.#lines.values()].find(({ nodes }) => nodes.includes(node));
		return line?.heardMs === undefined ? undefined : { name: line.broker, isHeard: this.#options.now() - line.heardMs <= SILENT_AFTER_MS };
	}

	/** At once or not at all. Resolves with whether the broker listened. */
	async say(broker: string, word: CoreWord): Promise<boolean> {
		const [mouth] = this.#connections;
		if (mouth === undefined) return false;
		return mouth.ask("publish", bridgeNames(broker).hears, encodeWord(word)).then(
			(count) => typeof count === "number" && count > 0,
			() => false,
		);
	}

	async #run(): Promise<void> {
		const { url, notice, timers } = this.#options;
		while (!this.#stopped) {
			try {
				await this.#converse();
			} catch (error) {
				if (!this.#stopped) notice(sayFault(faultOf(error, url).fault));
			}
			for (const connection of this.#connections) connection.end();
			this.#connections = [];
			if (this.#stopped) return;
			await new Promise<void>((resolve) => {
				const cancel = timers.after(RETRY_MS, resolve);
				this.#wake = () => {
					cancel();
					resolve();
				};
			});
		}
	}

	async #converse(): Promise<void> {
		const { url, ca, notice } = this.#options;
		const certificate = ca === undefined ? {} : { ca };
		const mouth = await connectRedis({ url, ...certificate, answerWithinMs: ANSWER_WITHIN_MS });
		this.#connections = [mouth];
		const ears = await connectRedis({ url, ...certificate });
		this.#connections = [mouth, ears];
		// Waits for news on its own: nobody else's question is behind it.
		const eyes = await connectRedis({ url, ...certificate });
		this.#connections = [mouth, ears, eyes];
		await ears.subscribe(
			[...this.#lines.keys()].map((broker) => bridgeNames(broker).says),
			(channel, bytes) => this.#hear(channel, bytes),
		);
		let isOver = false;
		for (const { ended } of this.#connections)
			void ended.then(() => {
				isOver = true;
			});
		notice(undefined);
		while (!this.#stopped && !isOver) await this.#look(mouth, eyes);
	}

	#hear(channel: string, bytes: Uint8Array): void {
		const line = [...this.#lines.values()].find(({ broker }) => bridgeNames(broker).says === channel);
		const parsed = parseBrokerWord(bytes);
		if (line === undefined || !parsed.ok) return;
		const word = parsed.value;
		if (word.kind !== "here") {
			this.#options.heard(line.broker, word);
			return;
		}
		const silentMs = this.#options.now() - (line.heardMs ?? Number.NEGATIVE_INFINITY);
		const isNew = word.sync || silentMs > SILENT_AFTER_MS;
		line.epoch = word.epoch;
		line.first = word.first;
		line.head = word.head;
		line.lostUpTo = word.lostUpTo;
		line.nodes = word.nodes;
		line.wantsSync = word.sync;
		line.disk = { ...(word.full === true ? { full: true } : {}), ...(word.bytesPerDay === undefined ? {} : { bytesPerDay: word.bytesPerDay }) };
		line.heardMs = this.#options.now();
		this.#options.came(line.broker, { rows: word.rows, isNew });
	}

	async #look(mouth: RedisConnection, eyes: RedisConnection): Promise<void> {
		const streams = [...this.#lines.keys()].map((broker) => bridgeNames(broker).stream);
		const seen = listOf(await eyes.ask("xread", "COUNT", String(PAGE_RECORDS), "BLOCK", String(BLOCK_MS), "STREAMS", ...streams, ...streams.map(() => "0-0")));
		for (const line of this.#lines.values()) {
			const found = seen.find((stream) => textOf(listOf(stream)[0]) === bridgeNames(line.broker).stream);
			const entries = listOf(listOf(found)[1]);
			if (entries.length > 0) await this.#take(mouth, line, entries);
			// Everything that lay between is here: the way is emptied, and the broker goes on behind what is here.
			else if (line.wantsSync) await this.#again(mouth, line);
		}
	}

	async #take(mouth: RedisConnection, line: Line, entries: readonly RedisAnswer[]): Promise<void> {
		const { accept, cursor, setCursor } = this.#options;
		const { broker } = line;
		const records: SpooledRecord[] = [];
		let epoch: string | undefined;
		let upTo = 0;
		let isWhole = true;
		for (const entry of entries) {
			const read = readEntry(entry);
			epoch ??= read?.epoch;
			if (read === undefined || epoch === undefined || read.epoch !== epoch) {
				isWhole = false;
				break;
			}
			if (upTo === 0) upTo = cursor(broker, epoch);
			if (read.position <= upTo) continue;
			isWhole = read.position === upTo + 1;
			if (!isWhole) break;
			records.push({ broker, bytes: read.bytes });
			upTo = read.position;
		}
		if (records.length > 0 && epoch !== undefined) {
			await accept(records);
			await setCursor(broker, epoch, upTo);
		}
		if (!isWhole) {
			await this.#again(mouth, line);
			return;
		}
		await mouth.ask("xtrim", bridgeNames(broker).stream, "MINID", `${upTo + 1}-0`);
		if (epoch !== undefined) await this.say(broker, { v: 1, kind: "mark", epoch, upTo, again: false });
	}

	async #again(mouth: RedisConnection, line: Line): Promise<void> {
		const { cursor, setCursor, lost } = this.#options;
		const { broker, epoch, first, lostUpTo } = line;
		await mouth.ask("del", bridgeNames(broker).stream);
		if (epoch === undefined) return;
		const had = cursor(broker, epoch);
		// What is neither here nor there any more is a fact, before anything is taken from behind it.
		if (lostUpTo > had) await lost(broker, had + 1, lostUpTo);
		const upTo = Math.max(had, first - 1);
		if (upTo > had) await setCursor(broker, epoch, upTo);
		line.wantsSync = false;
		await this.say(broker, { v: 1, kind: "mark", epoch, upTo, again: true });
	}
}

const readEntry = (entry: RedisAnswer): { readonly position: Position; readonly epoch: string; readonly bytes: Uint8Array } | undefined => {
	const [id, fields] = listOf(entry);
	const named = mapOf(fields);
	const bytes = named.get("data");
	const found = /^(\d{1,15})-0$/.exec(textOf(id));
	const epoch = named.get("epoch");
	if (found?.[1] === undefined || !(bytes instanceof Uint8Array) || !(epoch instanceof Uint8Array)) return undefined;
	return { position: Number(found[1]), epoch: textOf(epoch), bytes };
};
