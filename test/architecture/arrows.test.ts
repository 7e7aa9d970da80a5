// Shows that every file of the tree imports, and in pure rooms reaches, only where the plan says (RUN-4).
import { describe, expect, test } from "vitest";
import { faultsOf, PACKAGES, ROOMS, roomOf } from "./rooms.ts";
import { importsOf, readSources } from "./sources.ts";

const SOURCES = readSources([".ts", ".mjs", ".js", ".mts", ".cts"]).filter(({ path }) => path !== "vitest.config.ts");
const CODE_ROOMS = [
	"contracts",
	"log",
	"core",
	"core/service",
	"broker",
	"edge/machines",
	"edge",
	"firmware-bridge",
	"firmware-bridge/drivers",
	"firmware-bridge/virtual-board",
	"agents",
	"agents/roles",
	"build",
	"test",
];

describe("the tree as it is", () => {
	test("has every room of the plan with something in it, so that this test looks at something", () => {
		const rooms = new Set(SOURCES.map(({ path }) => roomOf(path)));
		for (const room of CODE_ROOMS) expect(rooms).toContain(room);
		expect(SOURCES.filter(({ path }) => path.startsWith("core/")).flatMap(({ text }) => importsOf(text)).length).toBeGreaterThan(50);
	});
	test("imports and reaches only where the plan says", () => {
		expect(SOURCES.flatMap(faultsOf)).toEqual([]);
	});
	test("the plan has no circle: a room that may be imported may not import back", () => {
		const reachable = (room: string, seen: readonly string[]): readonly string[] =>
			(ROOMS[room]?.may ?? []).flatMap((next) => (seen.includes(next) ? [next] : [next, ...reachable(next, [...seen, next])]));
		// agents is one room in two parts: its compositions and what they compose.
		for (const room of Object.keys(ROOMS).filter((name) => !name.startsWith("agents")))
			expect({ room, circle: reachable(room, []).includes(room) }).toEqual({ room, circle: false });
		for (const { may } of Object.values(ROOMS).filter((room) => room !== ROOMS["test"])) expect(may).not.toContain("test");
	});
	test("every package of the plan is one that is declared", () => {
		const { dependencies, devDependencies } = JSON.parse(readSources(["package.json"])[0]?.text ?? "{}") as Readonly<
			Record<string, Readonly<Record<string, string>>>
		>;
		const declared = Object.keys({ ...dependencies, ...devDependencies });
		expect(Object.keys(PACKAGES).filter((name) => !declared.includes(name))).toEqual([]);
	});
});
