// What the log asks of a file system. Everything it reads or writes goes through here, so that tests can tear, fill, fail and forget.

/** A process, told apart from a later one that was given the same pid. */
export interface ProcessMark {
	readonly pid: number;
	/** When it began, in ticks after the boot; empty where the system does not say. */
	readonly startTicks: string;
	/** Which boot of the host; empty where the system does not say. */
	readonly bootId: string;
}

/** An open file. Every method rejects with an error whose `code` is that of the system (ENOSPC, EIO, ...). */
export interface OpenFile {
	/** Fewer bytes than asked for only at the end of the file. */
	read(offset: number, lengthBytes: number): Promise<Uint8Array>;
	/** All of them; if it rejects, some may have been written. */
	write(offset: number, bytes: Uint8Array): Promise<void>;
	truncate(lengthBytes: number): Promise<void>;
	sizeBytes(): Promise<number>;
	/** Content and size are on disk. */
	fdatasync(): Promise<void>;
	/** Everything about the file is on disk. */
	fsync(): Promise<void>;
	close(): Promise<void>;
}

export interface FilePort {
	/** `create` fails with EEXIST if it is there; `read` and `write` fail with ENOENT if it is not. */
	open(path: string, how: "read" | "write" | "create"): Promise<OpenFile>;
	/** Over whatever has the new name. */
	rename(from: string, to: string): Promise<void>;
	/** A second name for a file; fails with EEXIST if the name is taken. Whoever succeeds is the only one. */
	link(from: string, to: string): Promise<void>;
	/** ENOENT if it is not there. */
	unlink(path: string): Promise<void>;
	/** Names in a folder, sorted. */
	list(folder: string): Promise<readonly string[]>;
	/** With its parents; nothing happens if it is there. */
	mkdir(folder: string): Promise<void>;
	/** What was created, renamed and unlinked in the folder is on disk. */
	syncFolder(folder: string): Promise<void>;
	/** This process. */
	self(): Promise<ProcessMark>;
	isAlive(process: ProcessMark): Promise<boolean>;
}

export const codeOf = (error: unknown): string => (error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "");

export const detailOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** No space left on the device, or none left for this user. */
export const isDiskFull = (error: unknown): boolean => ["ENOSPC", "EDQUOT"].includes(codeOf(error));

/** What the operator has to mend: who owns the folder, how it is mounted, what stands in its place. */
export const isNotWritable = (error: unknown): boolean =>
	["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "EISDIR", "ELOOP", "ENAMETOOLONG"].includes(codeOf(error));
