// Shows approvals in a chat end to end: a real mesh, the real library, a server that speaks the Bot API; a RISKY repair is done after two taps of an admin, and never otherwise (HARM-30 HARM-93).
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BotServer, type Person } from "../../agents/demo/telegram/bot-server.ts";
import { expectGolden, shapeOf } from "../cli/shape.ts";
import { type LogLine, TestMesh, until } from "../support/mesh.ts";

const TOKEN = "123456:abcdefghijklmnopqrstuvwxyz0123456789";
const ANNA: Person = { id: 4_711, name: "Anna" };
const MALLORY: Person = { id: 666, name: "Mallory" };

let bot: BotServer;
let mesh: TestMesh;
beforeEach(async () => {
	bot = await BotServer.open(TOKEN);
	const services = `processes:\n  indexer: { command: [sleep, "1000"] }\n`;
	mesh = await TestMesh.make(`node: host\n${services}telegram: { tokenFile: bot-token, api: "${bot.root}" }\n`, ["--level", "N3"]);
	writeFileSync(join(mesh.folder, "bot-token"), `${TOKEN}\n`);
	chmodSync(join(mesh.folder, "bot-token"), 0o600);
	await mesh.start();
});
afterEach(async () => {
	await mesh.stop();
	await mesh.remove();
	await bot.close();
});

const records = async (type: string): Promise<readonly LogLine[]> => (await mesh.records()).filter(({ envelope }) => envelope.type === `dev.orion.${type}.v1`);

const invited = async (): Promise<void> => {
	const { code, out, err } = await mesh.orion("approvals", "invite", "--json");
	expect(code, err).toBe(0);
	expectGolden("invite.shape.txt", shapeOf(JSON.parse(out)));
	const { link } = JSON.parse(out) as { link: string };
	bot.types(ANNA, `/start ${new URL(link).searchParams.get("start")}`);
	await until("Anna is bound", () => bot.messages.find(({ chat, html }) => chat === ANNA.id && html.includes("Welcome")));
};

const ask = async (): Promise<(typeof bot.messages)[number]> => {
	await mesh.orion("alert", "service-runaway", "indexer eats the memory", "--severity", "error", "--label", "service=indexer");
	return until("the ask", () => [...bot.messages].reverse().find(({ chat, buttons }) => chat === ANNA.id && buttons.length > 0));
};

const tap = async (person: Person, message: { readonly id: number; readonly chat: number }, label: string): Promise<string> => {
	const shown = await until(`the button ${label}`, () => bot.messages.find(({ id }) => id === message.id)?.buttons.find(({ text }) => text === label));
	const id = bot.taps(person, { id: message.id, chat: person.id }, shown.data);
	return until("an answer to the tap", () => bot.tapAnswers.get(id));
};

test("a stranger's taps count for nothing; two taps of the admin stop the service; the message says what came of it; replay agrees", async () => {
	await until("the indexer runs", async () => (await records("process.up")).length > 0 || undefined);
	await invited();
	const message = await ask();
	expect(message.html).toContain("indexer");
	expect(await tap(MALLORY, message, "Approve")).toBe("You may not answer this.");
	expect(await records("approval.closed")).toEqual([]);
	await tap(ANNA, message, "Approve");
	expect(await records("action.requested")).toEqual([]);
	expect(await tap(ANNA, message, "Yes, let it run")).toBe("Approved.");
	await until("the service is stopped", async () => (await records("process.stopped")).length > 0 || undefined);
	await mesh.orion("alert", "service-runaway", "--resolved", "--label", "service=indexer");
	await until("the message says the end", () =>
		bot.messages.find(({ id, html, buttons }) => id === message.id && buttons.length === 0 && /Done|ended/.test(html)),
	);
	expect((await records("approval.closed"))[0]?.envelope.data).toMatchObject({ end: "approved", via: "telegram", by: `telegram:${ANNA.id} ${ANNA.name}` });
	expect(await records("action.requested")).toHaveLength(1);
	expect((await records("chat.refused"))[0]?.envelope.data).toMatchObject({ reason: "stranger", user: String(MALLORY.id) });
	expect((await mesh.orion("replay")).code).toBe(0);
});

test("denied, and core killed while it is asked: nothing is done, and the message ends", async () => {
	await until("the indexer runs", async () => (await records("process.up")).length > 0 || undefined);
	await invited();
	const message = await ask();
	await mesh.kill();
	await mesh.start();
	// What was asked before the kill may be asked anew, once the node is back: an answer to the old question counts for nothing.
	const denied = await until("a denial that counts", async () => {
		const shown = [...bot.messages].reverse().find(({ chat, buttons }) => chat === ANNA.id && buttons.some(({ text }) => text === "Deny"));
		return shown !== undefined && (await tap(ANNA, shown, "Deny")) === "Denied: nothing is done." ? shown : undefined;
	});
	for (const { id } of [message, denied]) await until("the message ends", () => bot.messages.find((each) => each.id === id && each.buttons.length === 0));
	expect(await records("action.requested")).toEqual([]);
});

test("TELL-47 TELL-48: a higher level that is asked for in the chat and approved on the command line: set once, the same end in the chat, in the list and in the log", async () => {
	await invited();
	bot.types(ANNA, "/level N2");
	await until("it is lowered", () => bot.messages.find(({ html }) => html.includes("Lowered to <b>N2</b>")));
	bot.types(ANNA, "/level N3");
	const message = await until("the ask", () =>
		bot.messages.find(({ chat, buttons, html }) => chat === ANNA.id && buttons.length > 0 && html.includes("LEVEL approval")),
	);
	const { approvals } = JSON.parse((await mesh.orion("approvals", "--json")).out) as { approvals: readonly { approval: string; kind: string; plan: string }[] };
	expect(approvals).toMatchObject([{ kind: "level" }]);
	const id = approvals[0]?.approval ?? "";
	expect(message.html).toContain(id);
	// One tap decides nothing.
	await tap(ANNA, message, "Approve");
	const approved = await mesh.orion("approve", id, "--yes", "-m", "I sit beside it");
	expect(approved.code, approved.err).toBe(0);
	const ended = await until("the message ends", () => bot.messages.find((each) => each.id === message.id && each.buttons.length === 0));
	expect(ended.html).toContain("(cli)");
	expect(ended.html).toContain("Approved");
	const again = await mesh.orion("approve", id, "--yes");
	expect(again.code).toBe(5);
	expect((await records("level.answered")).map(({ envelope }) => envelope.data)).toMatchObject([{ ask: id, end: "approved", via: "cli" }]);
	expect((await records("level.set")).map(({ envelope }) => envelope.data)).toMatchObject([{ level: "N3" }, { level: "N2" }, { level: "N3" }]);
	expect((await mesh.orion("replay")).code).toBe(0);
});
