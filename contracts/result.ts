// What a fallible step gives back: a value, or a registered fault that the caller must look at.
import type { Fault } from "./errors.ts";

export type Ok<T> = { readonly ok: true; readonly value: T };
export type Fail = { readonly ok: false; readonly fault: Fault };
export type Result<T> = Ok<T> | Fail;

export const ok = <T>(value: T): Ok<T> => ({ ok: true, value });

/** An assertion that stays on in production: a broken one is our bug, so the process ends and the log is folded again. */
export function assert(condition: unknown, message: string): asserts condition {
	if (!condition) throw new Error(`BUG: ${message}`);
}

/** The end of every switch over a closed union: a new kind breaks the build here. */
export const unreachable = (value: never): never => {
	throw new Error(`BUG: unreachable: ${JSON.stringify(value)}`);
};
