// Shows that the demo tells the truth: a chapter whose facts do not come fails its step and the whole, an interruption ends it at once.
import { describe, expect, test } from "vitest";
import { type Chapter, type Listener, type Step, tellAll } from "../../agents/demo/story.ts";
import { NotSeen, Watch } from "../../agents/demo/watch.ts";
import type { Envelope } from "../../contracts/envelope.ts";

const level = (id: string, to: "N0" | "N2"): Envelope =>
	({ specversion: "1.0", id, source: "/core/operator", type: "dev.orion.level.set.v1", data: { level: to, by: "test" } }) as Envelope;

const silent = (): Listener & { readonly heard: string[] } => {
	const heard: string[] = [];
	return {
		heard,
		begins: (number, { id }) => heard.push(`${number} ${id}`),
		says: ({ text }) => heard.push(text),
		shows: (command) => heard.push(`$ ${command}`),
		ends: ({ id, ok }) => heard.push(`${id} ${ok}`),
	};
};

const chapter = (id: string, tell: Chapter<Watch>["tell"]): Chapter<Watch> => ({ id, title: id, tell });

describe("steps", () => {
	test("a chapter that holds is ok with its words and figures; one that does not says what was expected, and the next is still told", async () => {
		const listener = silent();
		const steps: readonly Step[] = await tellAll(
			new Watch(),
			[
				chapter("true", async (_watch, teller) => {
					teller.say("so it is");
					teller.figure("foundMs", 3);
					teller.check(true, "never said");
				}),
				chapter("false", async (_watch, teller) => {
					teller.check(false, "the sun rises in the west");
					teller.say("not reached");
				}),
				chapter("thrown", () => Promise.reject(new NotSeen("an incident: not seen within 20 s"))),
			],
			listener,
			new AbortController().signal,
		);
		expect(steps.map(({ id, ok, failed }) => ({ id, ok, failed }))).toEqual([
			{ id: "true", ok: true, failed: undefined },
			{ id: "false", ok: false, failed: "the sun rises in the west" },
			{ id: "thrown", ok: false, failed: "an incident: not seen within 20 s" },
		]);
		expect(steps[0]).toMatchObject({ figures: { foundMs: 3 }, said: [{ text: "so it is" }] });
		expect(listener.heard).toEqual(["1 true", "so it is", "true true", "2 false", "false false", "3 thrown", "thrown false"]);
	});

	test("an interruption is no failed step: it ends the story", async () => {
		const interrupted = new AbortController();
		const told = tellAll(
			new Watch(),
			[
				chapter("waits", async (watch) => {
					const seen = watch.next("dev.orion.level.set.v1", 0, { what: "a level", withinMs: 60_000, signal: interrupted.signal });
					interrupted.abort(new Error("Ctrl-C"));
					await seen;
				}),
				chapter("never", () => Promise.reject(new Error("was told"))),
			],
			silent(),
			interrupted.signal,
		);
		await expect(told).rejects.toThrow("Ctrl-C");
	});
});

describe("records", () => {
	const options = { what: "a level", withinMs: 60_000, signal: new AbortController().signal };

	test("what is there already is found, what comes later is waited for, what lies before or does not fit is not taken", async () => {
		const watch = new Watch();
		watch.add(1, level("a", "N2"), 0);
		expect((await watch.next("dev.orion.level.set.v1", 0, options)).position).toBe(1);
		const next = watch.next("dev.orion.level.set.v1", 1, options, ({ data }) => data.level === "N2");
		watch.add(2, level("b", "N0"), 0);
		watch.add(3, level("c", "N2"), 0);
		expect((await next).position).toBe(3);
	});

	test("a record that is read again after a restart is the same record", () => {
		const watch = new Watch();
		watch.add(1, level("a", "N2"), 0);
		watch.add(1, level("a", "N2"), 0);
		expect(watch.all("dev.orion.level.set.v1")).toHaveLength(1);
	});

	test("what does not come in time is said with what was waited for", async () => {
		await expect(new Watch().next("dev.orion.level.set.v1", 0, { ...options, withinMs: 1 })).rejects.toThrow("a level: not seen within 0.001 s");
	});
});
