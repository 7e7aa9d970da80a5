// Composition of the Telegram channel: the bot's token from its file, the chat's own small files, the mesh behind it. Chooses adapters, decides nothing.
import { readFile, stat } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { fail, OrionError } from "../../contracts/errors.ts";
import type { ConfigOrion } from "../../contracts/gen/types.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { Core } from "../../core/service/core.ts";
import { ChatFault } from "../../core/service/telegram/ports.ts";
import { Threads } from "../../core/service/threads.ts";
import type { World } from "../../core/service/world.ts";

export interface OpenChat {
	/** A one-time link that makes the person who opens it an admin. Faults: CHAT_DOWN. */
	invite(by: string): Promise<Result<{ readonly link: string; readonly forMs: number }>>;
	close(): Promise<void>;
}

type Settings = NonNullable<ConfigOrion["telegram"]>;

const API = "https://api.telegram.org";
const ASKS_PER_HOUR = 20;
const OTHERS_MAY = 0o077;
const TOKEN = /^\d{3,20}:[A-Za-z0-9_-]{20,}$/;

const readToken = async (file: string): Promise<string> => {
	const wrong = (detail: string): OrionError => new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail });
	let text: string;
	try {
		if (((await stat(file)).mode & OTHERS_MAY) !== 0) throw wrong(`others may read the bot's token; try: chmod 600 ${file}`);
		text = (await readFile(file, "utf8")).trim();
	} catch (error) {
		throw error instanceof OrionError ? error : wrong(`the bot's token cannot be read (${error instanceof Error ? error.message : "unknown"})`);
	}
	if (!TOKEN.test(text)) throw wrong("is no token of a bot; BotFather gives one like 123456:ABC-DEF");
	return text;
};

/** Faults: CONFIG_INVALID. Telegram itself being away is no fault: it is said in the status and tried again. */
export const openTelegram = async (core: Core, world: World, settings: Settings, tokenFile: string): Promise<OpenChat> => {
	const token = await readToken(tokenFile);
	// Only whoever uses it pays for it.
	const [{ botApi }, { TelegramChannel }, { KeptChat }, { MeshDesk }] = await Promise.all([
		import("../../core/service/telegram/bot-api.ts"),
		import("../../core/service/telegram/channel.ts"),
		import("../../core/service/telegram/kept-chat.ts"),
		import("../../core/service/telegram/mesh-desk.ts"),
	]);
	const { desk } = core;
	const desktop = new MeshDesk({
		desk,
		threads: new Threads({ desk, pause: () => setImmediate() }),
		seen: () => ({ info: desk.info(), state: desk.state(), live: desk.live(), known: desk.nodes(), notices: desk.notices(), wallMs: world.clock.wall() }),
		engineMs: () => core.engineMs(),
		record: (type, data) => core.record("/core/telegram", type, data),
		notice: (text) => core.notice("telegram", text === undefined ? undefined : { severity: "warning", text }),
	});
	const channel = new TelegramChannel({
		api: botApi({ token, root: settings.api ?? API }),
		desk: desktop,
		kept: await KeptChat.open(world.files),
		clock: world.clock,
		timers: world.timers,
		admins: settings.admins ?? [],
		bot: token.split(":")[0] ?? "",
		asksPerHour: settings.asksPerHour ?? ASKS_PER_HOUR,
	});
	await channel.start();
	return {
		invite: async (by) => {
			try {
				return ok(await channel.invite(by));
			} catch (error) {
				if (error instanceof ChatFault) return fail("CHAT_DOWN", { detail: error.message });
				throw error;
			}
		},
		close: () => channel.close(),
	};
};
