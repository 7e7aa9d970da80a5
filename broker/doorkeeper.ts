// Connects the library's questions to the rules: who may come in, what becomes of a message, and when its sender is thanked.
import { type Fault, fault, sayFault } from "../contracts/errors.ts";
import type { NodeVerdict } from "../contracts/gen/types.ts";
import { unreachable } from "../contracts/result.ts";
import { NODE_CHANNELS, nodeTopic, TOPIC_ROOT } from "../contracts/topics.ts";
import { isFault, mayPublish, maySubscribe } from "./access.ts";
import { certificateFault, standingOf } from "./certificate.ts";
import { Deadline } from "./deadline.ts";
import type { Admission, Answer, ConnectRequest, Door } from "./door.ts";
import { Guesses } from "./guesses.ts";
import { identify } from "./identity.ts";
import { type Judgement, judge, type Publication } from "./judge.ts";
import type { Accepted, BrokerOptions, Certified, Identity, Kept, Refusal, Rejected } from "./ports.ts";
import { placeState, type StateMark } from "./state-order.ts";
import { Turnstile } from "./turnstile.ts";
import { type Allowance, duplicate, quarantined, spendVerdict } from "./verdict.ts";

const HOOK_DEADLINE_MS = 500;
const CHECK_DEADLINE_MS = 5_000;
const CHECKS_AT_ONCE = 2;
const CHECKS_WAITING_MAX = 256;
/** After this an order to stop is told to the mesh although somebody has not taken it yet. */
const ORDER_TOLD_WITHIN_MS = 100;
const CLOSE_WAITS_MS = 2_000;

type Stored = Extract<Judgement, { readonly kind: "accept" }>;

export type Outlet = (topic: string, bytes: Uint8Array, qos: 0 | 1, retain: boolean) => Promise<void>;

const ENCODER = new TextEncoder();

export class Doorkeeper implements Door {
	readonly #options: BrokerOptions;
	readonly #now: () => number;
	readonly #publish: Outlet;
	readonly #hook: Deadline;
	readonly #order: Deadline;
	readonly #check: Deadline;
	readonly #checks = new Turnstile(CHECKS_AT_ONCE, CHECKS_WAITING_MAX);
	readonly #guesses = new Guesses();
	/** What is on its way to the disk, and who waits for the end of it. */
	#working = 0;
	#idle: () => void = nothing;
	/** Both by node, and only nodes with a password come here. */
	readonly #newest = new Map<string, StateMark>();
	readonly #allowances = new Map<string, Allowance>();
	#drops = 0;

	constructor(options: BrokerOptions, now: () => number, publish: Outlet) {
		this.#options = options;
		this.#now = now;
		this.#publish = publish;
		this.#hook = new Deadline(options.hookDeadlineMs ?? HOOK_DEADLINE_MS, now);
		this.#order = new Deadline(ORDER_TOLD_WITHIN_MS, now);
		this.#check = new Deadline(CHECK_DEADLINE_MS, now);
	}

	/** A check that began before a node was dropped is made again. */
	dropped(): void {
		this.#drops += 1;
	}

	connect(request: ConnectRequest): Promise<Admission> {
		return new Promise((resolve) => {
			this.#check.race(this.#admit(request), (outcome) =>
				resolve(
					typeof outcome === "object"
						? outcome.value
						: { ok: false, fault: fault("BROKER_BUSY", { detail: outcome === "late" ? "too many at once" : "the check failed" }) },
				),
			);
		});
	}

	async #admit({ clientId, username, password, will, version, remote, certified }: ConnectRequest): Promise<Admission> {
		if (version < 4) return { ok: false, fault: fault("VERSION_UNSUPPORTED", { what: "MQTT", found: "3.1", needed: "3.1.1" }) };
		const found = identify(clientId, username);
		if (!found.ok) return found;
		// Who only publishes events has no second connection that could speak of presence.
		const identity: Identity = this.#options.credentials.isClient?.(found.value.node) === true ? { ...found.value, kind: "client" } : found.value;
		// A certificate speaks for one node, whatever passwords its holder knows beside.
		if (certified !== undefined && certified.node !== identity.node) return { ok: false, fault: fault("NOT_AUTHENTICATED") };
		const over = this.#certificateFault(identity, certified);
		if (over !== undefined) return { ok: false, fault: over };
		if (password === undefined) return { ok: false, fault: fault("NOT_AUTHENTICATED") };
		const guess = `${remote} ${identity.node}`;
		const known = this.#options.credentials.remembers?.(identity.node, password) === true;
		if (!known && !this.#guesses.mayTry(guess, this.#now())) return { ok: false, fault: fault("PASSWORDS_WRONG", { node: identity.node, address: remote }) };
		const right = await this.#checks.pass(() => this.#isRight(identity.node, password));
		if (right === false) this.#guesses.wasWrong(guess, this.#now());
		if (right === undefined) return { ok: false, fault: fault("BROKER_BUSY", { detail: "too many at once" }) };
		if (!right) return { ok: false, fault: fault("NOT_AUTHENTICATED") };
		// It may have been taken back while the password was looked at.
		const overNow = this.#certificateFault(identity, certified);
		if (overNow !== undefined) return { ok: false, fault: overNow };
		if (will === undefined) return { ok: true, identity };
		if (will.qos > 1) return { ok: false, fault: fault("QOS_REFUSED") };
		const judged = judge(this.#options.mesh, identity, { ...will, qos: will.qos === 0 ? 0 : 1 }, "as will");
		if (judged.kind === "accept") return { ok: true, identity };
		const detail = judged.kind === "quarantine" ? sayFault(judged.fault) : `no will belongs there`;
		return { ok: false, fault: fault("WILL_REFUSED", { topic: will.topic, detail }) };
	}

	#certificateFault({ kind }: Identity, certified: Certified | undefined): Fault | undefined {
		const { secure } = this.#options;
		if (certified === undefined || secure === undefined) return undefined;
		return certificateFault(standingOf(certified, secure.isRevoked, secure.wall()), certified, kind);
	}

	async #isRight(node: string, password: Uint8Array): Promise<boolean> {
		const { credentials } = this.#options;
		const drops = this.#drops;
		const right = await credentials.check(node, password);
		return right && drops !== this.#drops ? credentials.check(node, password) : right;
	}

	publish(identity: Identity, message: Publication, answer: (answer: Answer) => void): void {
		const { intake, mesh } = this.#options;
		const judged = judge(mesh, identity, message);
		switch (judged.kind) {
			case "live":
				intake.live(accepted(identity, message, judged));
				answer({ kind: "pass" });
				break;
			case "order":
				// It was handed on when it arrived.
				answer({ kind: "taken" });
				break;
			case "accept":
				this.#keep(identity, intake.accept(accepted(identity, message, judged)), answer, (kept) => this.#afterAccept(identity, message, judged, kept));
				break;
			case "quarantine":
				this.#keep(identity, intake.quarantine(rejected(identity, message, judged)), answer, ({ position }) => {
					this.#tell(identity, quarantined(message.topic, judged.fault, position, judged.messageId));
					return { kind: "taken", fault: judged.fault };
				});
				break;
			default:
				unreachable(judged);
		}
	}

	/**
	 * The one place that thanks: the answer follows when the message is durable, or never. What comes too late for an answer is still
	 * followed up, because the message is on disk and its repeat will be a duplicate.
	 */
	#keep<K>(identity: Identity, work: Promise<K>, answer: (answer: Answer) => void, after: (kept: K) => Answer): void {
		this.#working += 1;
		// Orders to stop reach a node by its safety connection: a disk that is down does not take that away. Its node says again what was not answered.
		const late: Answer = { kind: identity.kind === "safety" ? "unanswered" : "cut" };
		this.#hook.race(work.then(after), (outcome) => answer(typeof outcome === "object" ? outcome.value : late), this.#ended);
	}

	readonly #ended = (): void => {
		this.#working -= 1;
		if (this.#working === 0) this.#idle();
	};

	#afterAccept(identity: Identity, message: Publication, judged: Stored, kept: Kept): Answer {
		const { envelope } = judged;
		switch (kept.kind) {
			case "stored":
				return this.#showStored(identity, message, judged);
			case "duplicate":
				// A node that numbers its messages repeats them on purpose; others may wonder where theirs went.
				if (envelope.seq === undefined) this.#tell(identity, duplicate(message.topic, envelope.id));
				return { kind: "taken" };
			case "fork":
				this.#tell(identity, quarantined(message.topic, kept.fault, kept.position, envelope.id));
				return { kind: "taken", fault: kept.fault };
			default:
				return unreachable(kept);
		}
	}

	/** What stays visible is said by the broker itself: it must not depend on whether the sender is still there to be thanked. */
	#showStored({ node }: Identity, { topic, retain, bytes }: Publication, { channel, envelope }: Stored): Answer {
		// No filter that is granted reaches what nodes say: whoever wants it reads the log.
		if (!NODE_CHANNELS[channel].retained) return { kind: "taken" };
		if (channel === "state") {
			const newest = placeState(this.#newest.get(node), envelope);
			if (newest === undefined) return { kind: "taken" };
			this.#newest.set(node, newest);
		}
		this.#say(topic, bytes, retain);
		return { kind: "taken" };
	}

	will(identity: Identity, message: Publication): void {
		const judged = judge(this.#options.mesh, identity, message, "as will");
		// It was judged when it was left; what is not right now is not said.
		if (judged.kind !== "accept") return;
		this.#keep(identity, this.#options.intake.accept(accepted(identity, message, judged)), nothing, (kept) =>
			kept.kind === "stored" && NODE_CHANNELS[judged.channel].retained ? this.#showStored(identity, message, judged) : { kind: "taken" },
		);
	}

	maySubscribe(identity: Identity, filter: string): boolean {
		return maySubscribe(identity, filter) === undefined;
	}

	isUrgent(topic: string): boolean {
		return topic.startsWith(TOPIC_ROOT) && (topic.endsWith("/stop") || topic.endsWith("/cut"));
	}

	/** An order to stop goes out first, past every queue; what is told to the mesh follows. */
	urgent(identity: Identity, topic: string, bytes: Uint8Array): void {
		const place = mayPublish(identity, topic);
		if (isFault(place) || (place.channel !== "stop" && place.channel !== "cut")) return;
		const verb = place.channel;
		this.#order.race(this.#publish(topic, bytes, 1, false), () => this.#options.onStop?.(verb, place.node, identity, bytes));
	}

	refused(refusal: Refusal): void {
		this.#options.onRefusal?.(refusal);
	}

	#tell(identity: Identity, verdict: NodeVerdict): void {
		const { allowed, allowance } = spendVerdict(this.#allowances.get(identity.node), this.#now());
		this.#allowances.set(identity.node, allowance);
		if (allowed) this.#say(nodeTopic(identity.node, "verdict"), ENCODER.encode(JSON.stringify(verdict)), false);
	}

	#say(topic: string, bytes: Uint8Array, retain: boolean): void {
		// It fails only when the broker closes, and then nobody is left to hear it.
		this.#publish(topic, bytes, 1, retain).catch(nothing);
	}

	/** Waits a while for what is on its way to the disk. */
	async settle(): Promise<void> {
		if (this.#working === 0) return;
		const idle = new Promise<void>((resolve) => {
			this.#idle = resolve;
		});
		await new Promise<void>((resolve) => {
			new Deadline(CLOSE_WAITS_MS, this.#now).race(idle, () => resolve());
		});
	}
}

const nothing = (): void => undefined;

const accepted = (
	identity: Identity,
	{ topic, bytes }: Publication,
	{ channel, envelope }: Extract<Judgement, { readonly kind: "accept" | "live" }>,
): Accepted => ({
	identity,
	topic,
	channel,
	envelope,
	bytes,
});

const rejected = (identity: Identity, { topic, bytes }: Publication, judged: Extract<Judgement, { readonly kind: "quarantine" }>): Rejected => ({
	identity,
	topic,
	bytes,
	fault: judged.fault,
	...(judged.messageId === undefined ? {} : { messageId: judged.messageId }),
});
