// Decides who an update comes from and what it is, and which updates nobody may act on: forwarded, edited, from groups, bots, or without a sender.

export type Foreign =
	| "no-sender"
	| "bot"
	| "not-private"
	| "anonymous"
	| "forwarded"
	| "edited"
	| "through-a-bot"
	| "inline-mode"
	| "not-text"
	| "another-kind"
	| "malformed";

interface Sender {
	readonly user: number;
	/** As the person calls himself: shown, never trusted. */
	readonly name: string;
	readonly chat: number;
}

export type Update =
	| ({ readonly kind: "text"; readonly id: number; readonly text: string } & Sender)
	| ({ readonly kind: "tap"; readonly id: number; readonly tap: string; readonly message: number; readonly data: string } & Sender)
	| { readonly kind: "foreign"; readonly id: number; readonly reason: Foreign; readonly user?: number; readonly name?: string; readonly tap?: string };

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields | undefined => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined);
const integer = (value: unknown): number | undefined => (typeof value === "number" && Number.isSafeInteger(value) ? value : undefined);

const NAME_LENGTH_MAX = 64;
const TEXT_LENGTH_MAX = 4_096;

const nameOf = (from: Fields): string =>
	[from["first_name"], from["last_name"]]
		.filter((part) => typeof part === "string")
		.join(" ")
		.slice(0, NAME_LENGTH_MAX) || "somebody";

/** Signs that a message is not what its sender typed to the bot, just now, in private. */
const signs: readonly (readonly [string, Foreign])[] = [
	["forward_origin", "forwarded"],
	["forward_date", "forwarded"],
	["forward_from", "forwarded"],
	["forward_from_chat", "forwarded"],
	["sender_chat", "anonymous"],
	["edit_date", "edited"],
	["via_bot", "through-a-bot"],
	["business_connection_id", "another-kind"],
];

const foreignSign = (message: Fields): Foreign | undefined => signs.find(([field]) => message[field] !== undefined)?.[1];

/** Whom it comes from, or why that does not count. Only a private chat with the person himself does. */
const senderOf = (from: unknown, message: Fields): Sender | { readonly reason: Foreign; readonly user?: number; readonly name?: string } => {
	const person = fieldsOf(from);
	const user = integer(person?.["id"]);
	if (person === undefined || user === undefined) return { reason: "no-sender" };
	const who = { user, name: nameOf(person) };
	if (person["is_bot"] === true) return { reason: "bot", ...who };
	const chat = fieldsOf(message["chat"]);
	const chatId = integer(chat?.["id"]);
	if (chat?.["type"] !== "private" || chatId === undefined || chatId !== user) return { reason: "not-private", ...who };
	return { ...who, chat: chatId };
};

const textOf = (id: number, message: Fields): Update => {
	const sender = senderOf(message["from"], message);
	const sign = foreignSign(message);
	if ("reason" in sender) return { kind: "foreign", id, ...sender };
	const { user, name } = sender;
	if (sign !== undefined) return { kind: "foreign", id, reason: sign, user, name };
	const text = message["text"];
	return typeof text === "string"
		? { kind: "text", id, text: text.slice(0, TEXT_LENGTH_MAX), ...sender }
		: { kind: "foreign", id, reason: "not-text", user, name };
};

const tapOf = (id: number, query: Fields): Update => {
	const tap = typeof query["id"] === "string" ? { tap: query["id"] } : {};
	const message = fieldsOf(query["message"]);
	// A button below a message of inline mode carries no message: it can hang in anybody's chat.
	if (message === undefined || query["inline_message_id"] !== undefined) {
		const from = fieldsOf(query["from"]);
		const user = integer(from?.["id"]);
		return { kind: "foreign", id, reason: "inline-mode", ...(from === undefined || user === undefined ? {} : { user, name: nameOf(from) }), ...tap };
	}
	const sender = senderOf(query["from"], message);
	if ("reason" in sender) return { kind: "foreign", id, ...sender, ...tap };
	const { user, name } = sender;
	const messageId = integer(message["message_id"]);
	const data = query["data"];
	if (messageId === undefined || typeof data !== "string" || tap.tap === undefined) return { kind: "foreign", id, reason: "malformed", user, name, ...tap };
	return { kind: "tap", id, tap: tap.tap, message: messageId, data, ...sender };
};

/** An update as the Bot API gave it; undefined if it has no number, and can be neither answered nor passed over. */
export const readUpdate = (raw: unknown): Update | undefined => {
	const update = fieldsOf(raw);
	const id = integer(update?.["update_id"]);
	if (update === undefined || id === undefined) return undefined;
	const message = fieldsOf(update["message"]);
	if (message !== undefined) return textOf(id, message);
	const query = fieldsOf(update["callback_query"]);
	if (query !== undefined) return tapOf(id, query);
	const edited = fieldsOf(update["edited_message"]);
	const from = fieldsOf(edited?.["from"]);
	const user = integer(from?.["id"]);
	const who = from === undefined || user === undefined ? {} : { user, name: nameOf(from) };
	return { kind: "foreign", id, reason: edited === undefined ? "another-kind" : "edited", ...who };
};
