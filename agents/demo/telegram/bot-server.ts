// Plays Telegram's Bot API on loopback: real HTTP, long polling with offsets, keyboards, taps, edits, files and faults, and the people who chat with the bot.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

type Fields = Readonly<Record<string, unknown>>;

export interface ShownButton {
	readonly text: string;
	readonly data: string;
}

export interface ShownMessage {
	readonly id: number;
	readonly chat: number;
	/** HTML as the bot sent it. */
	readonly html: string;
	readonly buttons: readonly ShownButton[];
	readonly file?: { readonly kind: "document" | "photo"; readonly name: string; readonly bytes: Uint8Array; readonly caption: string };
	readonly edits: number;
}

/** What goes wrong with the next calls of a method; `drop` closes the connection without an answer. */
export interface ServerFault {
	readonly method: string;
	readonly times: number;
	readonly kind: { readonly status: number; readonly description: string; readonly retryAfterSeconds?: number } | "drop" | "hang";
}

export interface Person {
	readonly id: number;
	readonly name: string;
}

const TEXT_MAX = 4_096;
const DATA_BYTES_MAX = 64;
const ANSWER_MAX = 200;
const BODY_BYTES_MAX = 32 * 1_024 * 1_024;
const ENTITY = /&(?:amp|lt|gt|quot);/g;
const TAGS = /<\/?(?:b|i|code|pre|a)(?: [^>]*)?>/g;

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of request as AsyncIterable<Buffer>) {
		bytes += chunk.byteLength;
		if (bytes > BODY_BYTES_MAX) throw new Error("too large");
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
};

/** multipart/form-data, as far as bots send it. */
const partsOf = (
	body: Buffer,
	boundary: string,
): { readonly fields: Record<string, unknown>; readonly file?: { readonly name: string; readonly bytes: Uint8Array } } => {
	const fields: Record<string, unknown> = {};
	let file: { name: string; bytes: Uint8Array } | undefined;
	const mark = Buffer.from(`--${boundary}`);
	let from = body.indexOf(mark);
	while (from !== -1) {
		const next = body.indexOf(mark, from + mark.length);
		if (next === -1) break;
		const part = body.subarray(from + mark.length + 2, next - 2);
		const headEnd = part.indexOf("\r\n\r\n");
		const head = part.subarray(0, headEnd).toString();
		const content = part.subarray(headEnd + 4);
		const name = /name="([^"]+)"/.exec(head)?.[1];
		const fileName = /filename="([^"]+)"/.exec(head)?.[1] ?? /filename\*?=(?:UTF-8'')?([^;\r\n]+)/i.exec(head)?.[1];
		if (fileName !== undefined) file = { name: fileName, bytes: new Uint8Array(content) };
		else if (name !== undefined) fields[name] = content.toString();
		from = next;
	}
	return { fields, ...(file === undefined ? {} : { file }) };
};

class Refused extends Error {
	readonly status: number;
	readonly retryAfterSeconds: number | undefined;
	constructor(status: number, description: string, retryAfterSeconds?: number) {
		super(description);
		this.status = status;
		this.retryAfterSeconds = retryAfterSeconds;
	}
}

const bad = (detail: string): Refused => new Refused(400, `Bad Request: ${detail}`);

/** What the real server refuses: unknown tags, empty or too long texts, too long button data. */
const checkedText = (text: unknown): string => {
	if (typeof text !== "string" || text.trim() === "") throw bad("message text is empty");
	const plain = text.replaceAll(TAGS, "");
	if (/[<>]/.test(plain)) throw bad("can't parse entities: unsupported start tag");
	if (plain.replaceAll(ENTITY, "x").length > TEXT_MAX) throw bad("message is too long");
	return text;
};

const buttonsOf = (markup: unknown): readonly ShownButton[] => {
	const value: unknown = typeof markup === "string" ? JSON.parse(markup) : markup;
	const rows = (value as { inline_keyboard?: { text: string; callback_data: string }[][] } | undefined)?.inline_keyboard ?? [];
	return rows.flat().map(({ text, callback_data: data }) => {
		if (Buffer.byteLength(data) > DATA_BYTES_MAX || data === "") throw bad("BUTTON_DATA_INVALID");
		return { text, data };
	});
};

export class BotServer {
	readonly token: string;
	readonly messages: ShownMessage[] = [];
	/** What taps were answered with, by the tap's id. */
	readonly tapAnswers = new Map<string, string>();
	readonly calls: { readonly method: string; readonly fields: Fields }[] = [];
	readonly #server: Server;
	#updates: Fields[] = [];
	#faults: ServerFault[] = [];
	#nextUpdate = 1;
	#nextMessage = 1;
	#nextTap = 1;
	#polling: { readonly wake: () => void; readonly end: (refused: Refused) => void } | undefined;
	readonly #changed = new Set<() => void>();
	/** Every update is delivered this often. */
	duplicates = 1;

	private constructor(token: string) {
		this.token = token;
		this.#server = createServer((request, response) => void this.#take(request, response));
	}

	static async open(token: string): Promise<BotServer> {
		const bot = new BotServer(token);
		await new Promise<void>((resolve) => {
			bot.#server.listen(0, "127.0.0.1", () => resolve());
		});
		return bot;
	}

	get root(): string {
		const address = this.#server.address();
		return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
	}

	async close(): Promise<void> {
		this.#polling?.wake();
		this.#server.closeAllConnections();
		await new Promise<void>((resolve) => {
			this.#server.close(() => resolve());
		});
	}

	fail(fault: ServerFault): void {
		this.#faults.push(fault);
	}

	/** Called whenever the bot said, edited or answered something. */
	onChange(listener: () => void): () => void {
		this.#changed.add(listener);
		return () => this.#changed.delete(listener);
	}

	/** Any update, as it is. */
	push(update: Fields): number {
		const id = this.#nextUpdate++;
		this.#updates.push({ update_id: id, ...update });
		this.#polling?.wake();
		return id;
	}

	/** The same update again, as after a restart that forgot how far it was. */
	again(id: number, update: Fields): void {
		this.#updates.push({ update_id: id, ...update });
		this.#polling?.wake();
	}

	#from({ id, name }: Person): Fields {
		return { id, is_bot: false, first_name: name };
	}

	/** A person types to the bot, in private. */
	types(person: Person, text: string, more: Fields = {}): number {
		const chat = { id: person.id, type: "private", first_name: person.name };
		return this.push({ message: { message_id: this.#nextMessage++, date: 0, chat, from: this.#from(person), text, ...more } });
	}

	/** A person taps a button of a message; resolves nothing: the answer comes into tapAnswers. */
	taps(person: Person, message: Pick<ShownMessage, "id" | "chat">, data: string, more: Fields = {}): string {
		const tap = String(this.#nextTap++);
		const chat = { id: message.chat, type: message.chat > 0 ? "private" : "supergroup" };
		this.push({ callback_query: { id: tap, from: this.#from(person), chat_instance: "1", message: { message_id: message.id, date: 0, chat }, data, ...more } });
		return tap;
	}

	async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const say = (status: number, body: unknown): void => {
			response.writeHead(status, { "content-type": "application/json" });
			response.end(JSON.stringify(body));
		};
		try {
			const [, token, method = ""] = /^\/bot([^/]+)\/(\w+)/.exec(request.url ?? "") ?? [];
			const body = await bodyOf(request);
			const boundary = /boundary=(?:"([^"]+)"|([^;]+))/.exec(request.headers["content-type"] ?? "");
			const multipart = boundary === null ? undefined : partsOf(body, boundary[1] ?? boundary[2] ?? "");
			const fields: Fields = multipart?.fields ?? (body.length === 0 ? {} : (JSON.parse(body.toString()) as Fields));
			if (token !== this.token) return say(401, { ok: false, error_code: 401, description: "Unauthorized" });
			this.calls.push({ method, fields });
			const fault = this.#faultOf(method);
			if (fault === "drop") return void request.socket.destroy();
			if (fault === "hang") return;
			if (fault !== undefined) throw new Refused(fault.status, fault.description, fault.retryAfterSeconds);
			say(200, { ok: true, result: await this.#do(method, fields, multipart?.file, response) });
			for (const listener of this.#changed) listener();
		} catch (error) {
			const { status, message, retryAfterSeconds } = error instanceof Refused ? error : new Refused(500, error instanceof Error ? error.message : "unknown");
			const parameters = retryAfterSeconds === undefined ? {} : { parameters: { retry_after: retryAfterSeconds } };
			say(status, { ok: false, error_code: status, description: message, ...parameters });
		}
	}

	#faultOf(method: string): Exclude<ServerFault["kind"], never> | undefined {
		const fault = this.#faults.find((each) => each.method === method || each.method === "*");
		if (fault === undefined) return undefined;
		this.#faults = this.#faults.flatMap((each) => (each !== fault ? [each] : each.times > 1 ? [{ ...each, times: each.times - 1 }] : []));
		return fault.kind;
	}

	async #do(
		method: string,
		fields: Fields,
		file: { readonly name: string; readonly bytes: Uint8Array } | undefined,
		response: ServerResponse,
	): Promise<unknown> {
		switch (method) {
			case "getMe":
				return { id: 1, is_bot: true, first_name: "ORION", username: "orion_test_bot" };
			case "getUpdates":
				return this.#poll(Number(fields["offset"] ?? 0), Number(fields["timeout"] ?? 0), response);
			case "sendMessage":
				return this.#say(Number(fields["chat_id"]), checkedText(fields["text"]), buttonsOf(fields["reply_markup"]));
			case "editMessageText":
				return this.#edit(Number(fields["chat_id"]), Number(fields["message_id"]), checkedText(fields["text"]), buttonsOf(fields["reply_markup"]));
			case "sendDocument":
			case "sendPhoto":
				if (file === undefined) throw bad("there is no file");
				return this.#say(Number(fields["chat_id"]), String(fields["caption"] ?? ""), [], {
					...file,
					kind: method === "sendPhoto" ? "photo" : "document",
					caption: String(fields["caption"] ?? ""),
				});
			case "answerCallbackQuery":
				if (String(fields["text"] ?? "").length > ANSWER_MAX) throw bad("MESSAGE_TOO_LONG");
				this.tapAnswers.set(String(fields["callback_query_id"]), String(fields["text"] ?? ""));
				return true;
			default:
				throw new Refused(404, "Not Found: method not found");
		}
	}

	/** As the real one: an offset confirms what lies before it, and of two that wait the newer ends the older with a conflict. */
	async #poll(offset: number, waitSeconds: number, response: ServerResponse): Promise<readonly Fields[]> {
		this.#updates = this.#updates.filter((update) => Number(update["update_id"]) >= offset || this.duplicates > 1);
		if (this.#updates.length === 0 && waitSeconds > 0) {
			this.#polling?.end(new Refused(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"));
			await new Promise<void>((resolve, reject) => {
				const over = (): void => {
					clearTimeout(late);
					if (this.#polling === mine) this.#polling = undefined;
				};
				const wake = (): void => {
					over();
					resolve();
				};
				const end = (refused: Refused): void => {
					over();
					reject(refused);
				};
				const mine = { wake, end };
				const late = setTimeout(wake, waitSeconds * 1_000);
				this.#polling = mine;
				response.once("close", wake);
			});
		}
		return Array.from({ length: this.duplicates }, () => this.#updates).flat();
	}

	#say(chat: number, html: string, buttons: readonly ShownButton[], file?: ShownMessage["file"]): Fields {
		const id = this.#nextMessage++;
		this.messages.push({ id, chat, html, buttons, edits: 0, ...(file === undefined ? {} : { file }) });
		return { message_id: id, date: 0, chat: { id: chat, type: "private" }, text: html };
	}

	#edit(chat: number, id: number, html: string, buttons: readonly ShownButton[]): Fields {
		const at = this.messages.findIndex((message) => message.id === id && message.chat === chat);
		const before = this.messages[at];
		if (before === undefined) throw bad("message to edit not found");
		if (before.html === html && JSON.stringify(before.buttons) === JSON.stringify(buttons)) {
			throw bad(
				"message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
			);
		}
		this.messages[at] = { ...before, html, buttons, edits: before.edits + 1 };
		return { message_id: id, date: 0, chat: { id: chat, type: "private" }, text: html };
	}
}
