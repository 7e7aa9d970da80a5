// Connects one stream of updates to the real chat, desk, engine and log of a core that is killed at any moment, a node that carries out, and people at the command line and the page; one seed, no real time.
import { approvalDesk, questionsOf } from "../../../core/service/approvals-desk.ts";
import { parseStored } from "../../../core/service/journal.ts";
import type { LoadedPolicy } from "../../../core/service/policies.ts";
import type { CoreInfo } from "../../../core/service/ports.ts";
import { TelegramChannel } from "../../../core/service/telegram/channel.ts";
import { KeptChat } from "../../../core/service/telegram/kept-chat.ts";
import { MeshDesk } from "../../../core/service/telegram/mesh-desk.ts";
import { Threads } from "../../../core/service/threads.ts";
import type { Seen } from "../../../core/service/views.ts";
import { approvalsView } from "../../../core/service/views-approvals.ts";
import { Chance } from "../../simulation/chance.ts";
import { SimNode } from "../../simulation/node.ts";
import { Oracles } from "../../simulation/oracles.ts";
import { CoreProcess } from "../../support/core.ts";
import { VirtualDisk } from "../../support/disk.ts";
import { MESH } from "../../support/engine.ts";
import { settle, VirtualHost } from "../../support/world.ts";
import { ChatServer } from "./chat-server.ts";
import { ANNA, BERT, People } from "./people.ts";
import { filesOf, ProcessLife } from "./process-life.ts";
import { Truth } from "./truth.ts";

const KEEP_NODE_EVERY_MS = 3_000;
const POLL_SECONDS = 25;
const LEVEL_ENDS_WITHIN_MS = 660_000;

export interface StreamOptions {
	readonly seed: number;
	readonly policy: LoadedPolicy;
	/** So long people and others do things. */
	readonly forMs: number;
	/** So long afterwards, without faults, all may take to come to an end. */
	readonly endsWithinMs: number;
	readonly did: (kind: string) => void;
}

interface Life {
	readonly core: CoreProcess;
	readonly life: ProcessLife;
	readonly desk: ReturnType<typeof approvalDesk>;
	chat: TelegramChannel | undefined;
}

export class Stream {
	readonly #options: StreamOptions;
	readonly #chance: Chance;
	readonly #host = new VirtualHost();
	readonly #disk: VirtualDisk;
	readonly #node: SimNode;
	readonly #server: ChatServer;
	readonly #oracles = new Oracles();
	readonly #truth: Truth;
	readonly #people: People;
	readonly #broken: unknown[] = [];
	#now: Life | undefined;
	#lives = 0;
	#read = 0;
	#acting = true;
	#beacons = 0;

	constructor(options: StreamOptions) {
		this.#options = options;
		this.#chance = new Chance(options.seed);
		const { time } = this.#host;
		this.#disk = new VirtualDisk({ now: () => time.nowMs });
		this.#server = new ChatServer(time, this.#chance);
		this.#truth = new Truth(this.#server, [ANNA]);
		const effect = (command: string): void => this.#try(() => this.#oracles.executed(command));
		const send: ConstructorParameters<typeof SimNode>[0]["send"] = (node, bytes, letter) => {
			const core = this.#now?.core;
			if (core === undefined || letter === undefined) return;
			const message = { identity: { node: node.name, clientId: node.name }, topic: "simulated", envelope: parseStored(bytes), bytes };
			core.intake.accept(message).then(
				() => node.acknowledged(letter),
				() => undefined,
			);
		};
		this.#node = new SimNode({ name: "pi-1", time, chance: this.#chance, services: ["web", "db"], send, effect });
		this.#people = new People({ chance: this.#chance, server: this.#server, truth: this.#truth, nowMs: () => time.nowMs, did: options.did });
		this.#server.onKeyboard = (html) => this.#try(() => this.#truth.keyboard(html, this.#now?.core.shell.engineMs() ?? 0));
	}

	/** Throws at the first broken promise. */
	async run(): Promise<void> {
		const { forMs, endsWithinMs } = this.#options;
		const { time } = this.#host;
		this.#node.start();
		this.#keepNode();
		await this.#start();
		this.#plan();
		while (await time.turn(forMs)) await this.#check();
		this.#heal();
		await this.#pass(endsWithinMs);
		// An ask for a level stands for ten minutes, whatever the policy says.
		if ([...this.#truth.levels.values()].includes(undefined)) await this.#pass(LEVEL_ENDS_WITHIN_MS);
		const state = this.#now?.core.shell.state;
		const shown = state === undefined ? [] : approvalsView(this.#seen(), { status: "all", limit: 200 }).approvals;
		this.#truth.atTheEnd(this.#lives, (approval) => shown.find((row) => row.approval === approval)?.status);
		this.#truth.tell(this.#options.did);
	}

	async #pass(byMs: number): Promise<void> {
		const { time } = this.#host;
		const untilMs = time.nowMs + byMs;
		while (await time.turn(untilMs)) await this.#check();
	}

	// ---- core

	#seen(): Seen {
		const core = this.#now?.core;
		if (core === undefined) throw new Error("core is away");
		const { shell } = core;
		const info = { head: this.#disk.log.head(), first: 1, host: "pi-1", mesh: MESH } as unknown as CoreInfo;
		return { info, state: shell.state, live: [], known: [], notices: [], wallMs: core.world.clock.wall() };
	}

	async #start(): Promise<void> {
		this.#lives += 1;
		const life = new ProcessLife();
		const core = new CoreProcess({
			host: this.#host,
			disk: this.#disk,
			policy: this.#options.policy,
			term: this.#lives,
			...(this.#lives === 1 ? { level: "N3" } : {}),
			delivery: { deliver: (_node, topic, bytes) => this.#toNode(topic, bytes) },
		});
		const { journal, shell, world } = core;
		const desk = approvalDesk({ journal, mesh: MESH, state: () => shell.state, idle: () => shell.idle(), world });
		const now: Life = { core, life, desk, chat: undefined };
		this.#now = now;
		await core.start();
		await core.connect();
		const chat = new TelegramChannel({
			api: this.#server.connect(life),
			desk: this.#meshDesk(now),
			kept: await KeptChat.open(filesOf(life, this.#host.files)),
			clock: world.clock,
			timers: world.timers,
			admins: [ANNA],
			bot: "1",
			asksPerHour: this.#options.seed % 5 === 0 ? 2 : 20,
			pollSeconds: POLL_SECONDS,
		});
		now.chat = chat;
		void chat.start();
	}

	#meshDesk({ core, life, desk }: Life): MeshDesk {
		const { journal, shell, log, world } = core;
		const records = (from: number, recordsMax: number) => journal.read(from, recordsMax);
		const info = () => this.#seen().info;
		const mesh = {
			...desk,
			info,
			state: () => shell.state,
			records,
			onRecords: (listener: (head: number) => void) => log.onCommit(listener),
			setLevel: async (level: "N0" | "N2" | "N3", by: string) => {
				const before = shell.state.level;
				const position = await journal.note("/core/operator", "dev.orion.level.set.v1", { level, by });
				await shell.idle();
				return { position, before };
			},
			stop: () =>
				life.call(async () => {
					this.#truth.stopsMs.push(this.#host.time.nowMs);
					return { verb: "stop" as const, order: "00", nodes: [] };
				}),
		};
		return new MeshDesk({
			desk: mesh,
			threads: new Threads({ desk: { info, records }, pause: settle }),
			seen: () => ({ ...this.#seen(), state: shell.state, wallMs: world.clock.wall() }),
			engineMs: () => shell.engineMs(),
			record: async (type, data) => {
				await journal.note("/core/telegram", type, data);
				await shell.idle();
			},
			notice: (text) => {
				if (text !== undefined && life.alive) this.#options.did(`notice ${/^Telegram: ([a-z ]+)/i.exec(text)?.[1] ?? ""}`);
			},
		});
	}

	/** kill -9: all that is in memory is gone. */
	#end(life: Life, how: string): void {
		if (this.#now !== life) return;
		life.life.alive = false;
		life.core.kill();
		this.#now = undefined;
		this.#node.linked = false;
		this.#options.did(`kill ${how}`);
		this.#host.time.after(this.#chance.pick([50, 500, 5_000, 15_000]), () => void this.#start().catch((error: unknown) => this.#broken.push(error)));
	}

	#kill(): void {
		const now = this.#now;
		if (now?.chat === undefined) return;
		const chance = this.#chance;
		const kept = chance.hits(0.5);
		chance.pick<() => void>([
			() => this.#end(now, "now"),
			() => {
				now.core.log.endAt = { batches: chance.whole(1, 4), kept, ended: () => this.#end(now, kept ? "after an append" : "before an append") };
			},
			() => now.life.endAt(chance.pick([1, 2, 3, 4, 6, 12]), kept, () => this.#end(now, kept ? "after a call" : "before a call")),
		])();
	}

	/** Something happens, and the process ends while it deals with that. */
	#killWhile(): void {
		const chance = this.#chance;
		const people = this.#people;
		chance.pick<() => void>([() => people.no(), () => people.no(), () => people.stop(), () => people.admin(), () => people.again(), () => this.#elsewhere()])();
		const now = this.#now;
		const after = chance.hits(0.5);
		if (now?.chat === undefined || chance.hits(0.2)) this.#kill();
		else now.life.endAt(chance.whole(1, 5), after, () => this.#end(now, after ? "after a call" : "before a call"));
	}

	// ---- the node

	async #toNode(topic: string, bytes: Uint8Array): Promise<"delivered" | "nobody"> {
		if (!this.#node.linked) return "nobody";
		const action = topic.split("/").at(-1) ?? "";
		const text = Buffer.from(bytes).toString();
		this.#host.time.after(this.#chance.whole(1, 50), () => this.#node.receive(action, text));
		return "delivered";
	}

	#keepNode(): void {
		const node = this.#node;
		const core = this.#now?.core;
		if (core !== undefined) {
			if (!node.linked) node.link();
			node.flush();
			core.live.pulse(node.name, { session: node.session, tick: node.tick, safety: "working" });
			this.#beacons += 1;
			const { level, policyHash } = core.shell.state;
			node.hear({ v: 1, mesh: MESH, coreTerm: { counter: this.#lives, keyId: "core-key" }, counter: this.#beacons, level, policyHash, latched: [], ticks: {} });
		}
		this.#host.time.after(KEEP_NODE_EVERY_MS, () => this.#keepNode());
	}

	// ---- what happens

	#plan(): void {
		const { time } = this.#host;
		const chance = this.#chance;
		const killsOften = chance.hits(0.5);
		this.#server.duplicated = chance.share(0.6);
		this.#server.shuffled = chance.share(0.4);
		const next = (): void => {
			if (!this.#acting) return;
			this.#try(() => this.#something(killsOften));
			time.after(chance.pick([20, 300, 1_500, 4_000]), next);
		};
		this.#alert();
		time.after(4_000, next);
	}

	#alert(): void {
		const service = this.#chance.pick(["web", "db"]);
		this.#node.alert("service-runaway", true, service);
		this.#options.did("alert");
	}

	#something(killsOften: boolean): void {
		const chance = this.#chance;
		const people = this.#people;
		const server = this.#server;
		const fault = (): void => server.fail(chance.pick(["rate", "down", "conflict", "lost", "lost", "unauthorised"]), chance.whole(1, 4));
		const weights: readonly (readonly [number, () => void])[] = [
			[6, () => this.#alert()],
			[28, () => people.admin()],
			[4, () => people.twice()],
			[8, () => people.stranger()],
			[12, () => people.forger()],
			[7, () => people.notSaid()],
			[7, () => people.replay()],
			[7, () => people.command()],
			[9, () => this.#elsewhere()],
			[4, fault],
			[2, () => this.#node.alert("service-runaway", false, "web")],
			[2, () => this.#invite()],
			[1, () => this.#level()],
			[this.#options.seed % 4 === 3 ? 8 : 0, () => people.level(this.#now?.core.shell.state.level === "N3" ? "N2" : "N3")],
			[killsOften ? 4 : 1, () => this.#kill()],
			[killsOften ? 12 : 0, () => this.#killWhile()],
		];
		let at = chance.whole(
			1,
			weights.reduce((sum, [weight]) => sum + weight, 0),
		);
		for (const [weight, run] of weights) {
			at -= weight;
			if (at <= 0) {
				run();
				return;
			}
		}
	}

	/** An answer at the command line or on the page: now, or in the very moment in which time runs out. */
	#elsewhere(): void {
		const { core } = this.#now ?? {};
		if (core === undefined) return;
		const [newest, ...older] = [...questionsOf(core.shell.state)].reverse();
		if (newest === undefined) return;
		const chance = this.#chance;
		const { id: approval, asked } = chance.hits(0.7) ? newest : chance.pick([newest, ...older]);
		const via = chance.pick(["cli", "page"] as const);
		const verdict = chance.pick(["approve", "approve", "deny", "revoke"] as const);
		const inMs = asked.decideByEngineMs - core.shell.engineMs() + chance.pick([-1, 0, 0, 1, 2]);
		const give = (kind: string) => (): void => {
			this.#options.did(kind);
			this.#now?.desk
				.decideApproval({ approval, verdict, boundHash: asked.boundHash, by: "somebody", via })
				.catch((error: unknown) => this.#broken.push(error));
		};
		if (inMs > 0 && chance.hits(0.4)) this.#host.time.after(inMs, give("answer elsewhere at the end of time"));
		else give(inMs < 0 ? "answer elsewhere too late" : "answer elsewhere")();
	}

	#invite(): void {
		const chat = this.#now?.chat;
		if (chat === undefined) return;
		chat
			.invite("operator")
			.then(({ link }) => {
				const code = new URL(link).searchParams.get("start") ?? "";
				this.#truth.admins.add(BERT);
				this.#server.push({
					message: { message_id: 1, chat: { id: BERT, type: "private" }, from: { id: BERT, is_bot: false, first_name: "Bert" }, text: `/start ${code}` },
				});
				this.#options.did("invitation");
			})
			.catch(() => undefined);
	}

	#level(): void {
		this.#now?.core.journal
			.note("/core/operator", "dev.orion.level.set.v1", { level: "N3", by: "somebody" })
			.catch((error: unknown) => this.#broken.push(error));
	}

	/** Nobody does anything any more, and nothing fails; what is asked ends by itself. */
	#heal(): void {
		this.#acting = false;
		// What was to end the process has come too late.
		this.#now?.life.endNever();
		if (this.#now !== undefined) this.#now.core.log.endAt = undefined;
		this.#server.heal();
		for (const service of this.#node.services.keys()) this.#node.alert("service-runaway", false, service);
	}

	// ---- oracles

	#try(check: () => void): void {
		try {
			check();
		} catch (error) {
			this.#broken.push(error);
		}
	}

	async #check(): Promise<void> {
		while (this.#read < this.#disk.log.head()) {
			const page = await this.#disk.log.read(this.#read + 1, 1_000);
			for (const { position, bytes } of page) {
				const record = { position, envelope: parseStored(bytes) };
				this.#read = position;
				this.#try(() => this.#oracles.read(record));
				this.#try(() => this.#truth.read(record, this.#host.time.nowMs));
			}
		}
		const [fatality] = this.#now?.core.world.fatalities ?? [];
		if (fatality !== undefined) throw fatality;
		const [first] = this.#broken;
		if (first !== undefined) throw first;
	}
}
