// Decides the demo's chapter about approvals in Telegram: the real channel and library against a server that plays the Bot API, one question denied and one approved by two taps.
import type { Stage } from "./stage.ts";
import type { Chapter, Teller } from "./story.ts";
import type { BotServer, Person, ShownMessage } from "./telegram/bot-server.ts";

const ANNA: Person = { id: 4_711, name: "Anna" };
const MALLORY: Person = { id: 666, name: "Mallory" };
const RAISE = ["alert", "service-runaway", "indexer eats the memory", "--severity", "error", "--label", "service=indexer"] as const;
const RESOLVE = ["alert", "service-runaway", "--resolved", "--label", "service=indexer"] as const;
const TAGS = /<\/?[bi]>/g;

/** HTML as it is read: the first lines of a message. */
const read = ({ html }: ShownMessage): string =>
	html
		.replaceAll(TAGS, "")
		.replaceAll("&lt;", "<")
		.replaceAll("&gt;", ">")
		.replaceAll("&quot;", '"')
		.replaceAll("&amp;", "&")
		.split("\n")
		.slice(0, 4)
		.join(" | ");

class Chat {
	readonly #bot: BotServer;
	readonly #stage: Stage;
	readonly #teller: Teller;

	constructor(bot: BotServer, stage: Stage, teller: Teller) {
		this.#bot = bot;
		this.#stage = stage;
		this.#teller = teller;
	}

	/** The newest message to Anna that fits; told once it is there. */
	async hears(what: string, fits: (message: ShownMessage) => boolean): Promise<ShownMessage> {
		const find = (): ShownMessage | undefined => [...this.#bot.messages].reverse().find((message) => message.chat === ANNA.id && fits(message));
		await this.#stage.until(what, () => find() !== undefined);
		const found = find();
		if (found === undefined) throw new Error(what);
		this.#teller.say(`bot  → Anna: ${read(found)}${found.buttons.length === 0 ? "" : `  [${found.buttons.map(({ text }) => text).join("] [")}]`}`);
		return found;
	}

	async taps(person: Person, message: ShownMessage, label: string): Promise<string> {
		const button = (): string | undefined => this.#bot.messages.find(({ id }) => id === message.id)?.buttons.find(({ text }) => text === label)?.data;
		await this.#stage.until(`the button ${label}`, () => button() !== undefined);
		const tap = this.#bot.taps(person, { id: message.id, chat: person.id }, button() ?? "");
		await this.#stage.until("an answer to the tap", () => this.#bot.tapAnswers.has(tap));
		const answer = this.#bot.tapAnswers.get(tap) ?? "";
		this.#teller.say(`${person.name} taps [${label}]: ${answer}`);
		return answer;
	}

	types(text: string): void {
		this.#bot.types(ANNA, text);
		this.#teller.say(`Anna → bot: ${text.replace(/^(\/start ).*/, "$1…")}`);
	}
}

const chapter = (bot: BotServer): Chapter<Stage> => ({
	id: "telegram",
	title: "The same in Telegram: invited, a stranger's tap counts for nothing, one question denied, one approved by two taps",
	tell: async (stage, teller) => {
		const chat = new Chat(bot, stage, teller);
		const after = stage.watch.newest;
		const invited = await stage.orion("approvals", "invite", "--json");
		teller.check(invited.code === 0, `orion approvals invite ends with 0, not ${invited.code}: ${invited.err}`);
		chat.types(`/start ${new URL((JSON.parse(invited.out) as { readonly link: string }).link).searchParams.get("start") ?? ""}`);
		await chat.hears("a welcome", ({ html }) => html.startsWith("Welcome"));
		await stage.client.post("/level", { level: "N3", by: "demo" });
		await stage.orion(...RAISE);
		const first = await chat.hears("a question", ({ buttons, html }) => buttons.length > 0 && html.includes("indexer"));
		teller.check((await chat.taps(MALLORY, first, "Approve")).startsWith("You may not"), "a stranger's tap counts for nothing");
		teller.check((await chat.taps(ANNA, first, "Deny")).startsWith("Denied"), "Anna denies it");
		await chat.hears("its end", ({ id, buttons }) => id === first.id && buttons.length === 0);
		teller.check(
			stage.watch.all("dev.orion.action.requested.v1", after, ({ data }) => data.args["service"] === "indexer").length === 0,
			"denied, and nothing was done",
		);

		const between = stage.watch.newest;
		await stage.orion(...RESOLVE);
		await stage.see("the alert is over", "dev.orion.incident.resolved.v1", between);
		await stage.orion(...RAISE);
		const second = await chat.hears("another question", ({ id, buttons, html }) => id > first.id && buttons.length > 0 && html.includes("indexer"));
		await chat.taps(ANNA, second, "Approve");
		teller.check((await chat.taps(ANNA, second, "Yes, let it run")).startsWith("Approved"), "two taps approve it");
		await stage.see("the service is stopped", "dev.orion.process.stopped.v1", between, ({ data }) => data.service === "indexer");
		const done = stage.watch.all("dev.orion.action.requested.v1", after, ({ data }) => data.name === "process.stop" && data.args["service"] === "indexer");
		teller.figure("executions", done.length);
		teller.check(done.length === 1, `one execution, not ${done.length}`);
		await chat.hears("its end", ({ id, buttons }) => id === second.id && buttons.length === 0);
		teller.check(
			bot.messages.every(({ buttons }) => buttons.length === 0),
			"no message keeps live buttons",
		);
		await stage.orion(...RESOLVE);
		await stage.client.post("/level", { level: "N2", by: "demo" });
	},
});

export const chatChapters = (bot: BotServer | undefined): readonly Chapter<Stage>[] => (bot === undefined ? [] : [chapter(bot)]);
