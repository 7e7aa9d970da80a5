// Shows that a chat answers asks for its admins and for nobody else, once, in time, and that its messages always end without live buttons: HARM-93 HARM-94.
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../support/mesh.ts";
import { ANNA, BERT, type Chat, MALLORY, openChat } from "./rig.ts";

let chats: Chat[] = [];
const open = async (...args: Parameters<typeof openChat>): Promise<Chat> => {
	const chat = await openChat(...args);
	chats.push(chat);
	return chat;
};
afterEach(async () => {
	for (const chat of chats) await chat.close();
	chats = [];
});

const asked = async (chat: Chat) => {
	const ask = chat.desk.ask();
	const message = await chat.message(({ buttons }) => buttons.length > 0);
	return { ask, message };
};
const ended = (chat: Chat, id: number) => until("the message ended", () => chat.bot.messages.find((each) => each.id === id && each.buttons.length === 0));

describe("an ask", () => {
	test("says what runs, on what, why, what it touches, undo, evidence and until when; approving takes two taps; the end is told in the same message", async () => {
		const chat = await open();
		const { ask, message } = await asked(chat);
		for (const part of [ask.title, ask.plan, ask.node, ask.why, ask.blast, ask.undoSays, "#12", "03:14:05 UTC", "in 10 min", ask.approval])
			expect(message.html).toContain(part);
		expect(message.buttons.map(({ text }) => text)).toEqual(["Approve", "Deny", "Details", "Snooze"]);
		expect(chat.desk.seen).toEqual([`${ask.approval} telegram:${ANNA.id}`]);
		expect(await chat.tap(ANNA, message, "Approve")).toContain("next tap");
		expect(chat.desk.executed).toEqual([]);
		await until("it asks again", () => chat.bot.messages.find(({ id, html }) => id === message.id && html.includes("Really?")));
		expect(await chat.tap(ANNA, message, "Yes, let it run")).toBe("Approved.");
		expect(chat.desk.executed).toEqual([ask.approval]);
		expect((await ended(chat, message.id)).html).toContain(`Approved</b> by telegram:${ANNA.id} Anna (telegram) at 03:05:00 UTC`);
		chat.desk.change(ask.approval, { outcome: { action: "act-1", end: "verified" } });
		await until("the outcome", () => chat.bot.messages.find(({ id, html }) => id === message.id && html.includes("Done, and verified.")));
	});

	test("denied by one tap; the other admin's copy ends, too", async () => {
		const chat = await open({ admins: [ANNA, BERT] });
		const { message } = await asked(chat);
		const copy = await chat.message(({ buttons }) => buttons.length > 0, BERT.id);
		expect(await chat.tap(ANNA, message, "Deny")).toBe("Denied: nothing is done.");
		for (const id of [message.id, copy.id]) expect((await ended(chat, id)).html).toContain("Denied: nothing was done");
		expect(chat.desk.executed).toEqual([]);
	});

	test.each(["expired", "superseded", "revoked", "void"] as const)(
		"%s while it is shown: the message ends without buttons, a late tap does nothing",
		async (status) => {
			const chat = await open();
			const { ask, message } = await asked(chat);
			const data = message.buttons[1]?.data ?? "";
			chat.desk.change(ask.approval, { status });
			await ended(chat, message.id);
			const tap = chat.bot.taps(ANNA, message, data);
			await until("an answer", () => chat.bot.tapAnswers.get(tap));
			expect((await chat.refused("over"))["approval"]).toBe(ask.approval);
			expect(chat.desk.executed).toEqual([]);
		},
	);

	test("decided on the page: the message says by whom and how, and a second answer is refused", async () => {
		const chat = await open();
		const { ask, message } = await asked(chat);
		chat.desk.change(ask.approval, { status: "approved", by: "anna", via: "page", decidedAt: "2026-01-02T03:06:00.000Z" });
		expect((await ended(chat, message.id)).html).toContain("by anna (page)");
		expect(chat.desk.executed).toEqual([]);
	});

	test("what does not fit goes into a file, whole, before the message that says so", async () => {
		const chat = await open();
		const why = `because ${"of many things, ".repeat(400)}`;
		chat.desk.ask({ why });
		const message = await chat.message(({ buttons }) => buttons.length > 0);
		expect(message.html).toContain("read it before you answer");
		const file = chat.bot.messages.find((each) => each.file?.kind === "document");
		expect(file?.id).toBeLessThan(message.id);
		expect(new TextDecoder().decode(file?.file?.bytes)).toContain(why);
	});

	test("a number has its picture", async () => {
		const chat = await open();
		chat.desk.pictureOf = new Uint8Array([137, 80, 78, 71]);
		const { message } = await asked(chat);
		const picture = chat.bot.messages.find((each) => each.file?.kind === "photo");
		expect(picture?.id).toBeLessThan(message.id);
		expect([...(picture?.file?.bytes ?? [])]).toEqual([137, 80, 78, 71]);
	});

	test("what others wrote is shown as text: no tags, nothing that turns or hides", async () => {
		const chat = await open();
		chat.desk.ask({ title: "<b>fine</b> \u202egnp.exe\u200b", plan: "stop <a href='x'>web</a>" });
		const message = await chat.message(({ buttons }) => buttons.length > 0);
		expect(message.html).toContain("&lt;b&gt;fine&lt;/b&gt; gnp.exe");
		expect(message.html).toContain("stop &lt;a href='x'&gt;web&lt;/a&gt;");
		expect(message.html).not.toMatch(/[\u202e\u200b]/);
	});

	test("details: the why card, as a file", async () => {
		const chat = await open();
		const { message } = await asked(chat);
		await chat.tap(ANNA, message, "Details");
		const file = await chat.message(({ file: sent }) => sent?.name === "inc-0011223344.txt");
		expect(new TextDecoder().decode(file.file?.bytes)).toBe("because");
	});
});

describe("who may answer", () => {
	test("a stranger's tap and a stranger's words count for nothing; admins hear of it once", async () => {
		const chat = await open();
		const { message } = await asked(chat);
		const data = message.buttons[0]?.data ?? "";
		for (let n = 0; n < 12; n++) chat.bot.taps(MALLORY, { id: message.id, chat: MALLORY.id }, data);
		chat.bot.types(MALLORY, "/deny");
		const first = await chat.refused("stranger");
		expect(first).toMatchObject({ user: String(MALLORY.id), name: "Mallory" });
		await chat.message(({ html }) => html.includes("telegram:666 Mallory was refused here"));
		await chat.say(ANNA, "/status");
		expect(chat.bot.messages.filter(({ html }) => html.includes("was refused here"))).toHaveLength(1);
		// A storm is counted, not written down one by one.
		expect(chat.desk.records.filter(({ data: { user } }) => user === String(MALLORY.id))).toHaveLength(5);
		expect(chat.desk.list[0]?.status).toBe("open");
	});

	const privately = { id: ANNA.id, type: "private" };
	const from = { id: ANNA.id, is_bot: false, first_name: "Anna" };
	test.each([
		["not-private", { message: { message_id: 9, chat: { id: -100_123, type: "supergroup" }, from, text: "/deny" } }],
		["not-private", { message: { message_id: 9, chat: { id: ANNA.id, type: "channel" }, from, text: "/deny" } }],
		["not-private", { message: { message_id: 9, chat: { id: BERT.id, type: "private" }, from, text: "/deny" } }],
		["no-sender", { message: { message_id: 9, chat: privately, text: "/deny" } }],
		["anonymous", { message: { message_id: 9, chat: privately, from, sender_chat: { id: -100_123 }, text: "/deny" } }],
		["bot", { message: { message_id: 9, chat: privately, from: { ...from, is_bot: true }, text: "/deny" } }],
		["forwarded", { message: { message_id: 9, chat: privately, from, forward_origin: { type: "user" }, text: "/deny" } }],
		["edited", { edited_message: { message_id: 9, chat: privately, from, text: "/deny" } }],
		["edited", { message: { message_id: 9, chat: privately, from, edit_date: 5, text: "/deny" } }],
		["through-a-bot", { message: { message_id: 9, chat: privately, from, via_bot: { id: 7 }, text: "/deny" } }],
		["another-kind", { message: { message_id: 9, chat: privately, from, business_connection_id: "b", text: "/deny" } }],
		["another-kind", { inline_query: { id: "1", from, query: "/deny" } }],
		["not-text", { message: { message_id: 9, chat: privately, from, photo: [] } }],
		["inline-mode", { callback_query: { id: "t", from, inline_message_id: "i", data: "x" } }],
		["malformed", { callback_query: { id: "t", from, message: { message_id: 9, chat: privately } } }],
	])("%s: refused and recorded, nothing is decided", async (reason, update) => {
		const chat = await open();
		const { ask } = await asked(chat);
		chat.bot.push(update);
		await chat.refused(reason);
		expect(chat.desk.list.find(({ approval }) => approval === ask.approval)?.status).toBe("open");
	});

	test("copied data in another chat, made-up data, another message: forged", async () => {
		const chat = await open({ admins: [ANNA, BERT] });
		const { ask, message } = await asked(chat);
		const copy = await chat.message(({ buttons }) => buttons.length > 0, BERT.id);
		const deny = message.buttons[1]?.data ?? "";
		expect(Buffer.byteLength(deny)).toBeLessThanOrEqual(64);
		const taps = [
			chat.bot.taps(BERT, copy, deny),
			chat.bot.taps(
				ANNA,
				message,
				deny.replace(/.$/, (last) => (last === "A" ? "B" : "A")),
			),
			chat.bot.taps(ANNA, message, "approve everything"),
			chat.bot.taps(ANNA, { id: 1_000, chat: ANNA.id }, deny),
		];
		for (const tap of taps) await until("answered", () => chat.bot.tapAnswers.get(tap));
		expect(chat.desk.records.map(({ data: { reason } }) => reason)).toEqual(["forged", "forged", "forged", "forged"]);
		expect(chat.desk.list.find(({ approval }) => approval === ask.approval)?.status).toBe("open");
	});

	test("invited: a one-time link binds the person, is a record, and works once", async () => {
		const chat = await open({ admins: [] });
		const { link } = await chat.channel.invite("anna");
		const code = new URL(link).searchParams.get("start") ?? "";
		expect(code.length).toBeLessThanOrEqual(64);
		expect(chat.files.texts.get("telegram.json")).not.toContain(code);
		expect((await chat.say(ANNA, `/start ${code}`)).html).toContain("Welcome, Anna");
		expect(chat.desk.records.map(({ type }) => type)).toEqual(["dev.orion.chat.invited.v1", "dev.orion.chat.bound.v1"]);
		await asked(chat);
		chat.bot.types(MALLORY, `/start ${code}`);
		expect(await chat.refused("invite-unknown")).toMatchObject({ user: String(MALLORY.id) });
		expect(JSON.stringify(chat.desk.records)).not.toContain(code);
	});
});

describe("restarts and repeats", () => {
	test("an update that comes again, and one that comes twice, is acted on once", async () => {
		const chat = await open();
		chat.bot.duplicates = 3;
		const { message } = await asked(chat);
		await chat.tap(ANNA, message, "Approve");
		await until("it asks again", () => chat.bot.messages.find(({ id, html }) => id === message.id && html.includes("Really?")));
		await chat.tap(ANNA, message, "Yes, let it run");
		expect(chat.desk.executed).toHaveLength(1);
		expect(chat.desk.records).toEqual([]);
	});

	test("started again: who was invited, what is shown, and how far it read are still known", async () => {
		const first = await openChat({ admins: [] });
		const { link } = await first.channel.invite("anna");
		await first.say(ANNA, `/start ${new URL(link).searchParams.get("start")}`);
		const { ask, message } = await asked(first);
		await first.channel.close();
		const again = await open({ admins: [], bot: first.bot, desk: first.desk, files: first.files });
		expect(await again.tap(ANNA, message, "Deny")).toBe("Denied: nothing is done.");
		expect(again.desk.list.find(({ approval }) => approval === ask.approval)?.status).toBe("denied");
		await ended(again, message.id);
		expect(again.bot.messages.filter(({ buttons }) => buttons.length > 0)).toHaveLength(0);
	});

	test("killed while an ask was being sent: it is shown anew, and the other message loses its buttons at the first tap", async () => {
		const first = await openChat();
		const { message } = await asked(first);
		await first.channel.close();
		// As it lies on disk when the process ends between sending and knowing the message's number.
		const kept = JSON.parse(first.files.texts.get("telegram.json") ?? "") as { shown: { message: number }[] };
		first.files.texts.set("telegram.json", JSON.stringify({ ...kept, shown: kept.shown.map((shown) => ({ ...shown, message: 0 })) }));
		const again = await open({ bot: first.bot, desk: first.desk, files: first.files });
		const anew = await again.message(({ id, buttons }) => id !== message.id && buttons.length > 0);
		expect(await again.tap(ANNA, message, "Deny")).toContain("answer there");
		await ended(again, message.id);
		expect(again.desk.list[0]?.status).toBe("open");
		expect(await again.tap(ANNA, anew, "Deny")).toBe("Denied: nothing is done.");
	});

	test("HARM-97: killed before a message that was shown again lost its buttons: it loses them at the next start", async () => {
		const first = await openChat();
		const { ask, message } = await asked(first);
		await first.channel.close();
		const kept = JSON.parse(first.files.texts.get("telegram.json") ?? "") as { shown: { message: number }[] };
		const stale = [{ approval: ask.approval, chat: ANNA.id, message: message.id }];
		first.files.texts.set("telegram.json", JSON.stringify({ ...kept, shown: [], stale }));
		const again = await open({ bot: first.bot, desk: first.desk, files: first.files });
		await ended(again, message.id);
		await again.message(({ id, buttons }) => id !== message.id && buttons.length > 0);
	});

	test("HARM-97: a message has no buttons before its number is on disk", async () => {
		const chat = await open();
		const { message } = await asked(chat);
		const sent = chat.bot.calls.find(({ method, fields }) => method === "sendMessage" && String(fields["text"]).includes("RISKY approval"));
		expect(sent?.fields["reply_markup"]).toEqual({ inline_keyboard: [] });
		expect(message.edits).toBe(1);
	});

	test("a disk that is full for a while holds up nothing: it is said, and what comes later is kept", async () => {
		const chat = await open();
		chat.files.full = true;
		chat.bot.types(ANNA, "/mute 2h");
		await until("the notice", () => chat.desk.noticed?.includes("no space left"));
		await chat.message(({ html }) => html.includes("That could not be done just now"));
		chat.files.full = false;
		expect((await chat.say(ANNA, "/status")).html).toContain("nothing is wrong");
		await until("it is kept", () => (JSON.parse(chat.files.texts.get("telegram.json") ?? "") as { muted: unknown[] }).muted.length === 1 || undefined);
	});

	test("another bot counts its updates from another number: it is heard all the same", async () => {
		const first = await openChat();
		for (let n = 0; n < 5; n++) await first.say(ANNA, "/status");
		await first.close();
		const again = await open({ desk: first.desk, files: first.files, botNumber: "2" });
		expect((await again.say(ANNA, "/status")).html).toContain("nothing is wrong");
	});

	test("ended while the channel was away: the message ends at the next start", async () => {
		const first = await openChat();
		const { ask, message } = await asked(first);
		await first.channel.close();
		first.desk.change(ask.approval, { status: "expired" });
		const again = await open({ bot: first.bot, desk: first.desk, files: first.files });
		expect((await ended(again, message.id)).html).toContain("Expired");
	});
});

describe("Telegram is down, slow or fights back", () => {
	test.each([
		[
			"429 with retry_after",
			{ method: "sendMessage", times: 2, kind: { status: 429, description: "Too Many Requests: retry after 1", retryAfterSeconds: 1 } },
			"asks to wait",
		],
		["5xx", { method: "sendMessage", times: 2, kind: { status: 502, description: "Bad Gateway" } }, "does not answer"],
		["dropped connections", { method: "sendMessage", times: 2, kind: "drop" }, "does not answer"],
	] as const)("%s: said, tried again, delivered once", async (_name, fault, says) => {
		const chat = await open();
		chat.bot.fail(fault);
		chat.desk.ask();
		await until("the notice", () => (chat.desk.noticed?.includes(says) === true ? true : undefined));
		await chat.message(({ buttons }) => buttons.length > 0);
		await until("the notice is gone", () => (chat.desk.noticed === undefined ? true : undefined));
		expect(chat.bot.messages.filter(({ buttons }) => buttons.length > 0)).toHaveLength(1);
	});

	test("409: another poller is named, and asked about rarely", async () => {
		const chat = await open();
		chat.bot.fail({ method: "getUpdates", times: 2, kind: { status: 409, description: "Conflict: terminated by other getUpdates request" } });
		chat.bot.types(ANNA, "/status");
		await until("the notice", () => (chat.desk.noticed?.includes("another program polls the same bot") === true ? true : undefined));
		await chat.message(({ html }) => html.includes("nothing is wrong"));
	});

	test("a token that Telegram does not know is said with what to do", async () => {
		const chat = await open({ token: "999:wrong" });
		await until("the notice", () => (chat.desk.noticed?.includes("BotFather") === true ? true : undefined));
		expect(chat.desk.noticed).not.toContain("999:wrong");
	});
});

describe("commands", () => {
	test.each([
		["/status", "nothing is wrong"],
		["/incidents", "1 incident &lt;is&gt; open &amp; so on"],
		["/why inc-1", "because"],
		["/why nothing", "there is no incident nothing"],
		["/help", "/stop stops everything that moves"],
		["/release", "I do not know /release"],
		["/cut", "I do not know /cut"],
		["/approve", "Nothing waits for an answer."],
		["/mute soon", "For how long?"],
		["/mute 2h", "No asks here for 2 h"],
		["/level", "The level is <b>N2</b>"],
		["/level n0", "Lowered to <b>N0</b>"],
		["/level N9", "A level is N0, N2 or N3"],
		["/stop", "pi-1 says that it stopped, after 12 ms"],
	])("%s", async (text, says) => {
		const chat = await open();
		expect((await chat.say(ANNA, text)).html).toContain(says);
	});

	test("/approve shows the ask again and decides nothing; the message before loses its buttons", async () => {
		const chat = await open();
		const { ask, message } = await asked(chat);
		chat.bot.types(ANNA, "/approve apr-0011");
		await ended(chat, message.id);
		const again = await chat.message(({ buttons }) => buttons.length > 0);
		expect(again.id).toBeGreaterThan(message.id);
		expect(chat.desk.list.find(({ approval }) => approval === ask.approval)?.status).toBe("open");
		const old = chat.bot.taps(ANNA, message, message.buttons[1]?.data ?? "");
		expect(await until("answered", () => chat.bot.tapAnswers.get(old))).toContain("answer there");
		expect(await chat.tap(ANNA, again, "Deny")).toBe("Denied: nothing is done.");
	});

	test("/level raised: asked for, and decided like any other ask", async () => {
		const chat = await open();
		chat.bot.types(ANNA, "/level N3");
		const message = await chat.message(({ buttons, html }) => buttons.length > 0 && html.includes("raise the level to N3"));
		expect(chat.desk.now).toBe("N2");
		expect(await chat.tap(ANNA, message, "Deny")).toBe("Denied: nothing is done.");
	});

	test("more asks than an hour may bring: the rest waits in one digest", async () => {
		const chat = await open({ asksPerHour: 2 });
		for (let n = 0; n < 5; n++) chat.desk.ask({ approval: `apr-00000000000${n}`, title: `ask ${n}` });
		const digest = await chat.message(({ html }) => html.includes("3 more approvals wait"));
		expect(digest.html).toContain("/approve apr-000000000004");
		expect(chat.bot.messages.filter(({ buttons }) => buttons.length > 0)).toHaveLength(2);
	});
});
