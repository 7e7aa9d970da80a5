// Shows that a button's code is good for one verb, ask, chat, message and content, and for nothing else (HARM-93).
import { expect, test } from "vitest";
import { isGenuine, readTap, tapData } from "../../core/service/telegram/taps.ts";

const KEY = new Uint8Array(32).fill(7);
const BOUND = { verb: "deny", approval: "apr-00112233aabb", chat: 4_711, message: 9, boundHash: "sha256:aa" } as const;

const genuine = (data: string, { chat, message, boundHash }: { chat: number; message: number; boundHash: string }): boolean | undefined => {
	const handle = readTap(data);
	return handle === undefined ? undefined : isGenuine(KEY, handle, { chat, message }, boundHash);
};

test("bound to all of it", () => {
	const data = tapData(KEY, BOUND);
	expect(Buffer.byteLength(data)).toBeLessThanOrEqual(64);
	expect(genuine(data, BOUND)).toBe(true);
	expect(genuine(data, { ...BOUND, chat: 4_712 })).toBe(false);
	expect(genuine(data, { ...BOUND, message: 10 })).toBe(false);
	expect(genuine(data, { ...BOUND, boundHash: "sha256:ab" })).toBe(false);
	expect(genuine(data.replace(/^2d/, "2c"), BOUND)).toBe(false);
	expect(genuine(data.replace("aabb", "aabc"), BOUND)).toBe(false);
	expect(genuine(data.replace(/^2/, "1"), BOUND)).toBeUndefined();
});
