// Connects the channel to Telegram's Bot API through grammY; the only file that knows the library.
import { Api, GrammyError, HttpError, InputFile } from "grammy";
import type { InlineKeyboardMarkup, Update } from "grammy/types";
import { type BotApi, ChatFault, type Keyboard } from "./ports.ts";

export interface BotAddress {
	readonly token: string;
	/** https://api.telegram.org, or a server that speaks the same. */
	readonly root: string;
}

/** Only what is acted on is asked for; the rest never leaves Telegram. */
const WANTED: readonly Exclude<keyof Update, "update_id">[] = ["message", "callback_query"];
const NOT_CHANGED = /message is not modified/i;
const GONE = /chat not found|bot was blocked|user is deactivated|message to edit not found|message can't be edited|query is too old|query id is invalid/i;

const markup = (keyboard: Keyboard): InlineKeyboardMarkup => ({
	inline_keyboard: keyboard.map((row) => row.map(({ text, data }) => ({ text, callback_data: data }))),
});

const faultOf = (error: unknown): ChatFault => {
	if (error instanceof GrammyError) {
		const { error_code: code, description, parameters } = error;
		if (code === 429) return new ChatFault("rate", description, (parameters.retry_after ?? 1) * 1_000);
		if (code === 409) return new ChatFault("conflict", description);
		if (code === 401 || code === 404) return new ChatFault("unauthorised", description);
		if (code >= 500) return new ChatFault("down", description);
		return new ChatFault(GONE.test(description) ? "gone" : "refused", description);
	}
	// The library's message holds the URL, and the URL holds the token.
	if (error instanceof HttpError) return new ChatFault("down", error.error instanceof Error ? error.error.name : "no connection");
	return new ChatFault("down", error instanceof Error ? error.name : "unknown");
};

const call = async <T>(work: Promise<T>): Promise<T> => {
	try {
		return await work;
	} catch (error) {
		throw faultOf(error);
	}
};

export const botApi = ({ token, root }: BotAddress): BotApi => {
	const api = new Api(token, { apiRoot: root });
	// The library's signal type is an older polyfill of the same thing.
	type Signal = Parameters<Api["getMe"]>[0];
	const as = (signal: AbortSignal): Signal => signal as unknown as Signal;
	return {
		me: async (signal) => {
			const { id, username } = await call(api.getMe(as(signal)));
			return { id, username };
		},
		updates: (offset, waitSeconds, signal) => call(api.getUpdates({ offset, timeout: waitSeconds, limit: 100, allowed_updates: [...WANTED] }, as(signal))),
		send: async (chat, html, keyboard, signal) => {
			const options = { parse_mode: "HTML" as const, link_preview_options: { is_disabled: true }, reply_markup: markup(keyboard) };
			return (await call(api.sendMessage(chat, html, options, as(signal)))).message_id;
		},
		edit: async (chat, message, html, keyboard, signal) => {
			const options = { parse_mode: "HTML" as const, link_preview_options: { is_disabled: true }, reply_markup: markup(keyboard) };
			try {
				await api.editMessageText(chat, message, html, options, as(signal));
			} catch (error) {
				// It says already what it should.
				if (!(error instanceof GrammyError && NOT_CHANGED.test(error.description))) throw faultOf(error);
			}
		},
		answerTap: async (tap, text, signal) => {
			await call(api.answerCallbackQuery(tap, { text: text.slice(0, 200) }, as(signal)));
		},
		sendFile: async (chat, name, bytes, caption, signal) => {
			await call(api.sendDocument(chat, new InputFile(bytes, name), { caption }, as(signal)));
		},
		sendPicture: async (chat, png, caption, signal) => {
			await call(api.sendPhoto(chat, new InputFile(png, "evidence.png"), { caption }, as(signal)));
		},
	};
};
