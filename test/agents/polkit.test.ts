// Shows that the rule for polkit lets a node's user restart and stop the units that its configuration lists, and nothing else to anybody (HARM-135).
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { polkitRule, rulePath } from "../../agents/install/polkit.ts";
import { shippedRule } from "../../agents/roles/host-machine.ts";

const RULE = await shippedRule();
const USER = "orion-agent";
const UNITS = ["jellyfin.service", "getty.tty1.service"];
const ACTION = "org.freedesktop.systemd1.manage-units";

interface Asked {
	readonly id: string;
	readonly user: string;
	readonly unit?: string;
	readonly verb?: string;
}
type Rule = (action: { readonly id: string; lookup(name: string): string | undefined }, subject: { readonly user: string }) => unknown;

/** As polkit reads it: a program of its own that may only add rules. */
const rulesIn = (text: string): readonly Rule[] => {
	const rules: Rule[] = [];
	runInNewContext(text, { polkit: { addRule: (rule: Rule) => rules.push(rule), Result: { YES: "yes", NO: "no" } } });
	return rules;
};

const [rule, ...more] = rulesIn(polkitRule(RULE, USER, UNITS));
const answer = ({ id, user, unit, verb }: Asked): unknown =>
	rule?.({ id, lookup: (name) => (name === "unit" ? unit : name === "verb" ? verb : undefined) }, { user });

const GOOD: Asked = { id: ACTION, user: USER, unit: "jellyfin.service", verb: "restart" };

describe("HARM-135", () => {
	test("one rule; both verbs for each listed unit", () => {
		expect(more).toEqual([]);
		for (const unit of UNITS) for (const verb of ["restart", "stop"]) expect([unit, verb, answer({ ...GOOD, unit, verb })]).toEqual([unit, verb, "yes"]);
	});

	test.each<readonly [string, Partial<Asked>]>([
		["another unit", { unit: "ssh.service" }],
		["a name that begins the same", { unit: "jellyfin.service.service" }],
		["part of a name", { unit: "jellyfin" }],
		["a name in other letters", { unit: "Jellyfin.service" }],
		["a dot is a dot", { unit: "getty-tty1.service" }],
		["no unit named", { unit: undefined as never }],
		["several at once", { unit: UNITS.join(" ") }],
		["start", { verb: "start" }],
		["reload", { verb: "reload" }],
		["restart or reload", { verb: "reload-or-restart" }],
		["kill", { verb: "kill" }],
		["no verb named", { verb: undefined as never }],
		["to enable units", { id: "org.freedesktop.systemd1.manage-unit-files" }],
		["to read them anew", { id: "org.freedesktop.systemd1.reload-daemon" }],
		["to switch the machine off", { id: "org.freedesktop.login1.power-off" }],
		["root as somebody else", { id: "org.freedesktop.policykit.exec" }],
		["another user", { user: "lars" }],
		["the user of another role", { user: "orion-agent-2" }],
		["nobody", { user: "" }],
	])("not this rule's: %s", (_what, change) => {
		// Nothing is forbidden either: what this machine's other rules say of it stays so.
		expect(answer({ ...GOOD, ...change })).toBeUndefined();
	});

	const isListed = ({ id, user, unit = "", verb = "" }: Asked): boolean =>
		id === ACTION && user === USER && UNITS.includes(unit) && ["restart", "stop"].includes(verb);

	test("of everything that is near, exactly four are granted", () => {
		const near: Asked[] = [];
		for (const id of [ACTION, "org.freedesktop.systemd1.manage-unit-files"])
			for (const user of [USER, "root", "orion-robot"])
				for (const unit of [...UNITS, "ssh.service", "constructor", "__proto__"])
					for (const verb of ["restart", "stop", "start", "try-restart"]) near.push({ id, user, unit, verb });
		expect(near.filter((each) => answer(each) !== undefined)).toEqual(near.filter(isListed));
		expect(near.filter(isListed)).toHaveLength(4);
	});

	test("whatever else is asked, nothing is granted that is not listed", () => {
		const word = (...near: readonly string[]) => fc.oneof(fc.constantFrom(...near), fc.string());
		const asked = fc.record({ id: word(ACTION), user: word(USER), unit: word(...UNITS), verb: word("restart", "stop") });
		fc.assert(
			fc.property(asked, (each) => {
				expect(answer(each)).toBe(isListed(each) ? "yes" : undefined);
			}),
		);
	});

	test("no unit listed: nothing is granted", () => {
		const [none] = rulesIn(polkitRule(RULE, USER, []));
		expect(none?.({ id: ACTION, lookup: (name) => (name === "verb" ? "stop" : undefined) }, { user: USER })).toBeUndefined();
	});

	test("what polkit reads is the language of 2009, and whose rule it is stands in its name", () => {
		expect(polkitRule(RULE, USER, UNITS)).not.toMatch(/=>|\b(?:const|let|class)\b|[`?]|@[A-Z]+@/);
		expect(rulePath(USER)).toBe("/etc/polkit-1/rules.d/60-orion-agent.rules");
	});
});
