// Shows that whoever writes to a peer is never told to wait, and that a peer that takes nothing loses its connection.
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { GuardedSocket } from "../../broker/guarded-socket.ts";
import { connectPacket, PING, publishBytes, until } from "./rig.ts";

const open: { end(): void }[] = [];
afterEach(() => {
	for (const one of open.splice(0)) one.end();
});

interface Pair {
	readonly peer: Socket;
	readonly socket: Socket;
	readonly guarded: GuardedSocket;
	readonly said: string[];
}

const pair = (limits: { readonly drainTimeoutMs: number; readonly backlogBytesMax: number }): Promise<Pair> =>
	new Promise((resolve) => {
		const server = createServer();
		server.listen(0, "127.0.0.1", () => {
			const address = server.address();
			const peer = connect(typeof address === "object" && address !== null ? address.port : 0, "127.0.0.1");
			peer.on("error", () => undefined);
			open.push({ end: () => peer.destroy() }, { end: () => server.close() });
			server.once("connection", (socket) => {
				const said: string[] = [];
				const guarded = new GuardedSocket(socket, limits, {
					isUrgent: (topic) => topic === "stop",
					onUrgent: ({ topic, payload }) => said.push(`urgent ${topic} ${Buffer.from(payload).toString()}`),
					onRead: () => 0,
					onRefused: ({ fault }) => said.push(`refused ${fault.code}`),
					onStalled: (detail) => said.push(`stalled: ${detail}`),
				});
				guarded.on("error", () => undefined);
				resolve({ peer, socket, guarded, said });
			});
		});
	});

test("a peer that takes nothing for the drain time is let go, however little waits for it", async () => {
	const { peer, socket, guarded, said } = await pair({ drainTimeoutMs: 100, backlogBytesMax: 256 * 1_048_576 });
	peer.pause();
	const chunk = Buffer.alloc(262_144);
	while (socket.writableLength === 0) expect(guarded.write(chunk)).toBe(true);
	// Written as the library does it, in pieces that are sent together.
	const errors = new Promise<unknown>((resolve) => {
		guarded.cork();
		guarded.write("two");
		guarded.write("pieces", resolve);
		guarded.uncork();
	});
	expect([await errors, guarded.writableLength, said.length]).toEqual([null, 0, 0]);
	await until("it is let go", () => said.length > 0);
	expect(said).toEqual(["stalled: it took nothing for 100 ms"]);
	expect(guarded.destroyed && socket.destroyed).toBe(true);
});
test("a peer that takes something now and then is not", async () => {
	const { peer, socket, guarded, said } = await pair({ drainTimeoutMs: 100, backlogBytesMax: 256 * 1_048_576 });
	peer.pause();
	const chunk = Buffer.alloc(262_144);
	while (socket.writableLength < 4 * chunk.length) guarded.write(chunk);
	const all = socket.bytesWritten;
	const beganMs = performance.now();
	let readBytes = 0;
	peer.on("data", (bytes) => {
		readBytes += bytes.length;
	});
	peer.pause();
	while (performance.now() - beganMs < 400) {
		peer.resume();
		const before = readBytes;
		await until("it reads a little", () => readBytes > before || readBytes >= all);
		peer.pause();
	}
	peer.resume();
	await until("it has read everything", () => readBytes >= all);
	expect(said).toEqual([]);
});
test("a peer for whom too much waits is let go at once", async () => {
	const { peer, guarded, said } = await pair({ drainTimeoutMs: 60_000, backlogBytesMax: 1_048_576 });
	peer.pause();
	const chunk = Buffer.alloc(262_144);
	for (let count = 0; said.length === 0; count += 1) {
		expect(count).toBeLessThan(1_000);
		guarded.write(chunk);
	}
	expect(said[0]).toMatch(/^stalled: \d+ bytes wait for it$/);
});
test("what is written last still arrives, although unread bytes came behind it", async () => {
	const { peer, guarded } = await pair({ drainTimeoutMs: 1_000, backlogBytesMax: 1_048_576 });
	const heard: Buffer[] = [];
	peer.on("data", (bytes) => heard.push(bytes));
	peer.write(Buffer.concat([connectPacket("pi-3"), Buffer.alloc(4 * 1_048_576)]));
	await until("the CONNECT", () => guarded.readableLength > 0);
	guarded.write("the reason");
	guarded.destroy();
	await until("the end", () => peer.destroyed);
	expect(Buffer.concat(heard).toString()).toBe("the reason");
});
test("what came before the end of the peer is read to its end, and orders are seen before anybody reads", async () => {
	const { peer, guarded, said } = await pair({ drainTimeoutMs: 1_000, backlogBytesMax: 1_048_576 });
	peer.end(Buffer.concat([connectPacket("pi-3"), publishBytes("stop", "now"), PING]));
	await until("the CONNECT", () => guarded.readableLength > 0);
	expect(said).toEqual([]);
	guarded.admit();
	expect(said).toEqual(["urgent stop now"]);
	const read: Buffer[] = [];
	let ended = false;
	guarded.on("data", (bytes: Buffer) => read.push(bytes));
	guarded.on("end", () => {
		ended = true;
	});
	await until("the end", () => ended);
	expect(Buffer.concat(read)).toEqual(Buffer.concat([connectPacket("pi-3"), publishBytes("stop", "now"), PING]));
});
test("while nobody reads, no more is taken from the peer than the bound", async () => {
	const { peer, guarded } = await pair({ drainTimeoutMs: 1_000, backlogBytesMax: 1_048_576 });
	peer.write(connectPacket("pi-3"));
	await until("the CONNECT", () => guarded.readableLength > 0);
	guarded.admit();
	const packet = publishBytes("a", Buffer.alloc(30_000));
	for (let count = 0; peer.writableLength === 0; count += 1) {
		expect(count).toBeLessThan(10_000);
		peer.write(packet);
		await new Promise<void>((resolve) => {
			setImmediate(resolve);
		});
	}
	expect(guarded.readableLength).toBeLessThan(256 * 1_024);
});
