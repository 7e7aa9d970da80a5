// The linux-guard's sources -> a program.
export declare const guardSources: () => readonly string[];
/** Builds the guard into `file`; returns the hash of its sources, of which its hello tells the first eight bytes. */
export declare const buildGuard: (file: string, extraFlags?: readonly string[]) => string;
