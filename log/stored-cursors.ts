// Connects readers to their cursors on disk: moves that wait while one is written are written together, and none goes back.
import type { FilePort } from "./file-port.ts";
import { writeCursors } from "./folder-facts.ts";

export class StoredCursors {
	readonly #files: FilePort;
	readonly #folder: string;
	readonly #durable: Map<string, number>;
	readonly #wanted = new Map<string, number>();
	#writing: Promise<void> | undefined;
	#next: Promise<void> | undefined;

	constructor(files: FilePort, folder: string, found: ReadonlyMap<string, number>) {
		this.#files = files;
		this.#folder = folder;
		this.#durable = new Map(found);
	}

	get(reader: string): number {
		return this.#durable.get(reader) ?? 0;
	}

	/** Rejects as the file system does; the cursor stays where it was. */
	async set(reader: string, position: number): Promise<void> {
		const wanted = this.#wanted.get(reader) ?? 0;
		if (position <= this.get(reader)) return;
		if (position > wanted) this.#wanted.set(reader, position);
		this.#next ??= this.#afterCurrent();
		await this.#next;
	}

	/** Everything that is wanted when it begins is written at once. */
	async #afterCurrent(): Promise<void> {
		await this.#writing?.catch(() => undefined);
		this.#next = undefined;
		this.#writing = this.#write();
		await this.#writing;
	}

	async #write(): Promise<void> {
		const all = new Map(this.#durable);
		// One that was written meanwhile may be further than what was wanted when it was not.
		for (const [reader, position] of this.#wanted) all.set(reader, Math.max(position, this.get(reader)));
		this.#wanted.clear();
		await writeCursors(this.#files, this.#folder, all);
		for (const [reader, position] of all) this.#durable.set(reader, position);
	}

	async settled(): Promise<void> {
		while (this.#next !== undefined || this.#writing !== undefined) {
			const pending = this.#next ?? this.#writing;
			await pending?.catch(() => undefined);
			if (this.#next === undefined && pending === this.#writing) this.#writing = undefined;
		}
	}
}
