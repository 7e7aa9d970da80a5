// Shows that a terminal's hold on a node is what the node takes for a lease: opened, renewed with its newest tick, ended; and lost at the first answer that fails.
import { afterEach, expect, test } from "vitest";
import { type Hold, hold } from "../../agents/cli/holder.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { LeaseOpen } from "../../contracts/gen/types.ts";
import { type LeaseNews, Leases } from "../../edge/leases.ts";
import { keysOf, Signer } from "../edge/world.ts";

const SESSION = "5.00000000000000aa";
const LEASE = "00112233445566aa";
const ASKED = { node: "pi-1", holder: "peter", purpose: "move", ttlMs: 1_000, bounds: { distanceMm: 1_000, radiusMm: 500, timeMs: 60_000 } } as const;

/** Core and node in one: what is posted is given to the node's own judge. */
class Desk {
	readonly core = new Signer();
	readonly news: LeaseNews[] = [];
	readonly leases: Leases;
	away = false;
	#tick = 1_000;
	constructor() {
		const sessions = {
			current: () => ({ id: SESSION, counter: 5, tick: () => this.#tick }),
			isBehind: () => false,
			begin: () => Promise.reject(new Error("none")),
		};
		this.leases = new Leases({ mesh: "mesh-1", node: "pi-1", keys: keysOf(this.core), sessions, armEpoch: () => 7 });
	}
	post<T>(path: string, body: unknown): Promise<T> {
		if (this.away) return Promise.reject(new OrionError("NOT_RUNNING", { url: "test" }));
		this.#tick += 10;
		const heard = { node: "pi-1", session: SESSION, tick: this.#tick, armEpoch: 7, safety: "moving", lease: LEASE };
		if (path === "/lease/open") {
			const open: LeaseOpen = {
				v: 1,
				mesh: "mesh-1",
				session: SESSION,
				lease: LEASE,
				armEpoch: 7,
				tick: this.#tick,
				...(body as typeof ASKED & { readonly holderKey: string }),
			};
			this.news.push(this.leases.take(this.core.sign("orion-lease-open+jws", open)));
		} else this.news.push(this.leases.take(Buffer.from((body as { readonly signed: string }).signed)));
		return Promise.resolve(heard as T);
	}
}

const holds: Hold[] = [];
afterEach(async () => {
	for (const open of holds.splice(0)) await open.letGo();
});
const held = async (desk: Desk): Promise<Hold> => {
	const open = await hold(desk, "mesh-1", ASKED);
	holds.push(open);
	return open;
};
const until = async (isSo: () => boolean): Promise<void> => {
	const endMs = performance.now() + 10_000;
	while (!isSo()) {
		if (performance.now() > endMs) throw new Error("waited in vain");
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
};

test("HARM-56 the node takes the opening, every renewal and the end, each signed by the key of this terminal alone", async () => {
	const desk = new Desk();
	const open = await held(desk);
	await until(() => desk.news.length > 4);
	await open.letGo();
	expect(await open.over).toBe("let-go");
	expect(desk.news.map(({ kind }) => kind)).toEqual([...desk.news.slice(1).map(() => "held"), "ended"]);
});

test("HARM-57 an answer that fails ends the hold, and nothing more is signed", async () => {
	const desk = new Desk();
	const open = await held(desk);
	await until(() => desk.news.length > 2);
	desk.away = true;
	expect(await open.over).toBe("lost");
	const before = desk.news.length;
	desk.away = false;
	expect(desk.news).toHaveLength(before);
});

test("HARM-119 what is wanted now goes with each renewal, signed; nothing is wanted by a lease that is only held", async () => {
	const desk = new Desk();
	let yMm = 30;
	const open = await hold(desk, "mesh-1", ASKED, () => ({ gait: "tripod", stride: { xMm: 0, yMm, turnDegrees: 0 } }));
	holds.push(open);
	const wanted = () => desk.news.flatMap((news) => (news.kind === "held" ? [news.motion?.stride?.yMm] : []));
	await until(() => wanted().length > 2);
	yMm = -30;
	await until(() => wanted().at(-1) === -30);
	await open.letGo();
	expect(wanted()[0]).toBeUndefined();
	expect(wanted()[1]).toBe(30);
	expect(desk.news.at(-1)?.kind).toBe("ended");
});
