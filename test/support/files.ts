// A disk in memory that behaves like a bad one: it forgets what was not synced, tears writes at any byte, fills up, fails and flips bits.
import type { FilePort, OpenFile, ProcessMark } from "../../log/file-port.ts";

export interface Operation {
	readonly kind: "open" | "read" | "write" | "truncate" | "fdatasync" | "fsync" | "rename" | "link" | "unlink" | "list" | "mkdir" | "syncFolder";
	readonly path: string;
	/** Bytes of a write. */
	readonly bytes?: number;
}

type Change = { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array } | { readonly kind: "truncate"; readonly lengthBytes: number };

interface Inode {
	/** What a reader sees. */
	live: Uint8Array;
	/** What a power cut leaves. */
	kept: Uint8Array;
	/** Since the last sync, in order. */
	pending: Change[];
}

export const systemError = (code: string, path = ""): Error => Object.assign(new Error(`${code}: ${path}`), { code });

const apply = (content: Uint8Array, change: Change): Uint8Array => {
	if (change.kind === "truncate") {
		const cut = new Uint8Array(change.lengthBytes);
		cut.set(content.subarray(0, change.lengthBytes));
		return cut;
	}
	const grown = new Uint8Array(Math.max(content.length, change.offset + change.bytes.length));
	grown.set(content);
	grown.set(change.bytes, change.offset);
	return grown;
};

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** How many of the bytes that were written to a file since its last sync are on disk when the power goes. */
export type TornBytes = (path: string, pendingBytes: number) => number;

export interface PowerCut {
	readonly tornBytes?: TornBytes;
	/** Whether names that were given, taken and changed since the folder was synced are as they were, or as they should be. */
	readonly names?: "kept" | "live";
}

export class FakeFiles implements FilePort {
	#live = new Map<string, Inode>();
	#kept = new Map<string, Inode>();
	#folders = new Set<string>();
	#process: ProcessMark = { pid: 100, startTicks: "1", bootId: "boot-1" };
	readonly alive = new Set<string>(["100/1/boot-1"]);
	/** Bytes that all files together may hold. */
	capacityBytes = Number.POSITIVE_INFINITY;
	/** Called before each operation; what it throws is how the operation fails, and it takes as long as it says. */
	before: ((operation: Operation) => void | Promise<void>) | undefined;
	readonly counts: Partial<Record<Operation["kind"], number>> = {};

	/** What another process finds after this one was killed: everything that was written, synced or not. */
	afterKill(): FakeFiles {
		return this.#next("live", (inode) => ({ live: inode.live, kept: inode.kept, pending: [...inode.pending] }), {
			...this.#process,
			pid: this.#process.pid + 1,
			startTicks: `${Number(this.#process.startTicks) + 100}`,
		});
	}

	/** What is there when the power comes back. */
	afterPowerCut({ tornBytes = () => 0, names = "kept" }: PowerCut = {}): FakeFiles {
		const content = (inode: Inode, path: string): Inode => {
			const pendingBytes = inode.pending.reduce((sum, change) => sum + (change.kind === "write" ? change.bytes.length : 0), 0);
			let left = tornBytes(path, pendingBytes);
			let kept = inode.kept;
			for (const change of inode.pending) {
				if (left <= 0) break;
				kept = apply(kept, change.kind === "write" ? { ...change, bytes: change.bytes.subarray(0, left) } : change);
				if (change.kind === "write") left -= change.bytes.length;
			}
			return { live: kept, kept, pending: [] };
		};
		return this.#next(names, content, { ...this.#process, bootId: `${this.#process.bootId}+` });
	}

	#next(names: "kept" | "live", content: (inode: Inode, path: string) => Inode, process: ProcessMark): FakeFiles {
		const next = new FakeFiles();
		next.#folders = new Set(this.#folders);
		const inodes = new Map<Inode, Inode>();
		const copied = (from: ReadonlyMap<string, Inode>): Map<string, Inode> =>
			new Map(
				[...from].map(([path, inode]) => {
					const copy = inodes.get(inode) ?? content(inode, path);
					inodes.set(inode, copy);
					return [path, copy];
				}),
			);
		next.#live = copied(names === "live" ? this.#live : this.#kept);
		next.#kept = names === "live" ? copied(this.#kept) : new Map(next.#live);
		next.becomes(process);
		return next;
	}

	/** From now on this is the process that asks; the one before is dead. */
	becomes(process: ProcessMark): void {
		this.#process = process;
		this.alive.clear();
		this.alive.add(keyOf(process));
	}

	paths(): readonly string[] {
		return [...this.#live.keys()].sort();
	}

	content(path: string): Uint8Array {
		return this.#inode(path).live;
	}

	/** As if it had always been so, on disk and in memory. */
	put(path: string, content: Uint8Array): void {
		const inode = { live: content, kept: content, pending: [] };
		this.#live.set(path, inode);
		this.#kept.set(path, inode);
	}

	remove(path: string): void {
		this.#live.delete(path);
		this.#kept.delete(path);
	}

	flip(path: string, bit: number): void {
		const content = Uint8Array.from(this.content(path));
		content[bit >>> 3] = (content[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
		this.put(path, content);
	}

	#inode(path: string): Inode {
		const inode = this.#live.get(path);
		if (inode === undefined) throw systemError("ENOENT", path);
		return inode;
	}

	async #begin(kind: Operation["kind"], path: string, bytes?: number): Promise<void> {
		this.counts[kind] = (this.counts[kind] ?? 0) + 1;
		await this.before?.(bytes === undefined ? { kind, path } : { kind, path, bytes });
	}

	#room(): number {
		let used = 0;
		for (const inode of new Set(this.#live.values())) used += inode.live.length;
		return this.capacityBytes - used;
	}

	#change(inode: Inode, change: Change): void {
		inode.live = apply(inode.live, change);
		inode.pending.push(change);
	}

	/** As much as there is room for. */
	#write(inode: Inode, path: string, offset: number, bytes: Uint8Array): void {
		const grows = Math.max(0, offset + bytes.length - inode.live.length);
		const missing = Math.max(0, grows - this.#room());
		const written = Uint8Array.from(bytes.subarray(0, bytes.length - missing));
		if (written.length > 0) this.#change(inode, { kind: "write", offset, bytes: written });
		if (missing > 0) throw systemError("ENOSPC", path);
	}

	async open(path: string, how: "read" | "write" | "create"): Promise<OpenFile> {
		await this.#begin("open", path);
		if (!this.#folders.has(folderOf(path))) throw systemError("ENOENT", path);
		if (how === "create") {
			if (this.#live.has(path)) throw systemError("EEXIST", path);
			this.#live.set(path, { live: new Uint8Array(0), kept: new Uint8Array(0), pending: [] });
		}
		const inode = this.#inode(path);
		const sync = async (kind: "fdatasync" | "fsync"): Promise<void> => {
			// What is written while the disk is busy is not what it was asked to sync.
			const { live } = inode;
			const count = inode.pending.length;
			await this.#begin(kind, path);
			inode.kept = live;
			inode.pending = inode.pending.slice(count);
		};
		return {
			read: async (offset, lengthBytes) => {
				await this.#begin("read", path);
				return Buffer.from(inode.live.subarray(offset, offset + lengthBytes));
			},
			write: async (offset, bytes) => {
				await this.#begin("write", path, bytes.length);
				this.#write(inode, path, offset, bytes);
			},
			truncate: async (lengthBytes) => {
				await this.#begin("truncate", path);
				this.#change(inode, { kind: "truncate", lengthBytes });
			},
			sizeBytes: async () => inode.live.length,
			fdatasync: () => sync("fdatasync"),
			fsync: () => sync("fsync"),
			close: async () => undefined,
		};
	}

	async rename(from: string, to: string): Promise<void> {
		await this.#begin("rename", from);
		const inode = this.#inode(from);
		this.#live.delete(from);
		this.#live.set(to, inode);
	}

	async link(from: string, to: string): Promise<void> {
		await this.#begin("link", to);
		if (this.#live.has(to)) throw systemError("EEXIST", to);
		this.#live.set(to, this.#inode(from));
	}

	async unlink(path: string): Promise<void> {
		await this.#begin("unlink", path);
		this.#inode(path);
		this.#live.delete(path);
	}

	async list(folder: string): Promise<readonly string[]> {
		await this.#begin("list", folder);
		return this.paths()
			.filter((path) => folderOf(path) === folder)
			.map(nameOf);
	}

	async mkdir(folder: string): Promise<void> {
		await this.#begin("mkdir", folder);
		for (let path = folder; path !== ""; path = folderOf(path)) this.#folders.add(path);
	}

	async syncFolder(folder: string): Promise<void> {
		await this.#begin("syncFolder", folder);
		for (const path of [...this.#kept.keys()]) if (folderOf(path) === folder) this.#kept.delete(path);
		for (const [path, inode] of this.#live) if (folderOf(path) === folder) this.#kept.set(path, inode);
	}

	async self(): Promise<ProcessMark> {
		return this.#process;
	}

	async isAlive(process: ProcessMark): Promise<boolean> {
		return this.alive.has(keyOf(process));
	}
}

const keyOf = ({ pid, startTicks, bootId }: ProcessMark): string => `${pid}/${startTicks}/${bootId}`;
