// Connects what is known of supervised processes to services.json: on disk before it counts, several changes in one write.
import { checkContract } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { KeptServices } from "../../contracts/gen/types.ts";
import type { KeptFiles } from "../../edge/ports.ts";

export type KeptService = KeptServices["services"][string];

const FILE = "services.json";

const parse = (text: string): KeptServices => {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw new OrionError(
			"CONFIG_INVALID",
			{ file: FILE, line: 1, column: 1, detail: "is not the JSON that the agent wrote; restore it from a backup" },
			{ cause },
		);
	}
	const checked = checkContract("kept.services", value);
	if (checked.ok) return checked.value;
	const { pointer, detail } = checked.fault.facts;
	throw new OrionError("CONFIG_INVALID", { file: FILE, line: 1, column: 1, detail: `${String(pointer)} ${String(detail)}; restore it from a backup` });
};

export class KeptServicesFile {
	readonly #files: KeptFiles;
	readonly #rows: Map<string, KeptService>;
	#last: Promise<void> = Promise.resolve();
	#next: Promise<void> | undefined;

	private constructor(files: KeptFiles, rows: Map<string, KeptService>) {
		this.#files = files;
		this.#rows = rows;
	}

	static async open(files: KeptFiles): Promise<KeptServicesFile> {
		const text = await files.read(FILE);
		return new KeptServicesFile(files, new Map(text === undefined ? [] : Object.entries(parse(text).services)));
	}

	names(): readonly string[] {
		return [...this.#rows.keys()];
	}

	get(name: string): KeptService | undefined {
		return this.#rows.get(name);
	}

	/** Durable when it resolves. */
	put(name: string, row: KeptService): Promise<void> {
		this.#rows.set(name, row);
		return this.#write();
	}

	forget(name: string): Promise<void> {
		this.#rows.delete(name);
		return this.#write();
	}

	/** One write at a time; a change during one waits for the next, which takes all that came meanwhile. */
	#write(): Promise<void> {
		if (this.#next !== undefined) return this.#next;
		const next = this.#last.then(() => {
			this.#next = undefined;
			const kept: KeptServices = { schema: "orion.services/1", services: Object.fromEntries(this.#rows) };
			return this.#files.write(FILE, `${JSON.stringify(kept, null, "\t")}\n`, "secret");
		});
		this.#next = next;
		this.#last = next.catch(() => undefined);
		return next;
	}
}
