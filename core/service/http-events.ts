// Connects the log to readers that follow it over HTTP (server-sent events): as fast as each can read, from any position that is still here.
import type { ServerResponse } from "node:http";
import { type LogFilter, passes } from "../memory/log-row.ts";
import type { CoreDesk } from "./ports.ts";

const PAGE_RECORDS = 64;

export interface FeedOptions {
	readonly desk: Pick<CoreDesk, "info" | "records" | "onRecords">;
	/** First position that the reader wants. */
	readonly from: number;
	readonly filter: LogFilter;
	/** A beat this often, so that both sides notice a dead connection; a page cannot see comments. */
	readonly heartbeatMs: number;
	/** A reader that takes nothing for this long is closed: it can come back with Last-Event-ID. */
	readonly stalledMs: number;
}

/**
 * Reads a page of the log only when the page before was taken, so a slow reader costs one page and not memory without end.
 * Resolves when the reader left, was closed, or the API ends.
 */
export const feed = async (outgoing: ServerResponse, options: FeedOptions, ended: AbortSignal): Promise<void> => {
	const { desk, filter, heartbeatMs, stalledMs } = options;
	const gone = new AbortController();
	const leave = (): void => gone.abort();
	outgoing.once("close", leave);
	ended.addEventListener("abort", leave);
	let wake: (() => void) | undefined;
	const unlisten = desk.onRecords(() => wake?.());
	gone.signal.addEventListener("abort", () => wake?.());
	const heartbeat = setInterval(() => {
		if (!outgoing.writableNeedDrain) outgoing.write(`event: beat\ndata: {"head":${desk.info().head}}\n\n`);
	}, heartbeatMs);

	/** Until there is something new, or the reader left. */
	const news = (next: number): Promise<void> =>
		new Promise((resolve) => {
			wake = resolve;
			if (gone.signal.aborted || desk.info().head >= next) resolve();
		});
	const taken = (): Promise<void> =>
		new Promise((resolve) => {
			const stalled = setTimeout(() => outgoing.destroy(), stalledMs);
			const done = (): void => {
				clearTimeout(stalled);
				outgoing.off("drain", done);
				gone.signal.removeEventListener("abort", done);
				resolve();
			};
			outgoing.once("drain", done);
			gone.signal.addEventListener("abort", done);
		});

	try {
		outgoing.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no" });
		outgoing.write(":\n\n");
		let next = options.from;
		while (!gone.signal.aborted) {
			const page = await desk.records(next, PAGE_RECORDS);
			// Archived before this reader came to it: a hole must be said, not passed over.
			if (next < desk.info().first || (page[0]?.position ?? next) > next) {
				outgoing.write(`event: reset\ndata: ${JSON.stringify({ reset: true, first: desk.info().first })}\n\n`);
				break;
			}
			for (const { position, envelope } of page) {
				next = position + 1;
				if (gone.signal.aborted || !passes(filter, envelope)) continue;
				if (!outgoing.write(`id: ${position}\ndata: ${JSON.stringify(envelope)}\n\n`)) await taken();
			}
			if (page.length === 0) await news(next);
		}
	} finally {
		clearInterval(heartbeat);
		unlisten();
		outgoing.off("close", leave);
		ended.removeEventListener("abort", leave);
		outgoing.end();
	}
};
