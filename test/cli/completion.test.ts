// Shows that a real bash, given our completion, offers the commands, flags and choices that there are (RUN-31), and that the words of the mesh are explained.
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { GLOSSARY } from "../../agents/cli/glossary.ts";
import { runHere } from "./host.ts";
import { expectGolden, shapeOf } from "./shape.ts";

const offered = async (...words: readonly string[]): Promise<readonly string[]> => {
	const { out } = await runHere(["completion", "bash"]);
	const line = ["orion", ...words].map((word) => `'${word}'`).join(" ");
	const script = `${out}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _orion; printf '%s\\n' "\${COMPREPLY[@]}"`;
	return execFileSync("bash", ["--norc", "-c", script], { encoding: "utf8" })
		.split("\n")
		.filter((word) => word !== "");
};

describe("RUN-31 completion", () => {
	test("bash offers what can be typed there, and nothing else", async () => {
		expect(await offered("sta")).toEqual(["status"]);
		expect(await offered("node", "")).toEqual(expect.arrayContaining(["add", "ls", "rm", "--json"]));
		expect(await offered("node", "a")).toEqual(["add"]);
		expect(await offered("level", "N")).toEqual(["N0", "N2", "N3"]);
		expect(await offered("status", "--exit")).toEqual(["--exit-code"]);
		expect(await offered("quarantine", "r")).toEqual(["retry"]);
		expect(await offered("help", "glo")).toEqual(["glossary"]);
		expect(await offered("completion", "")).toEqual(expect.arrayContaining(["bash", "zsh", "fish"]));
		expect(await offered("frobnicate", "sta")).toEqual(["status"]);
	});

	test("bash passes over flags and their values, and offers files where a value is a file", async () => {
		expect(await offered("--data", "node", "aud")).toEqual(["audit"]);
		expect(await offered("--json", "audit", "ver")).toEqual(["verify"]);
		expect(await offered("audit", "verify", "--checkpoint", "packag")).toEqual(expect.arrayContaining(["package.json"]));
	});

	test("zsh and fish get every command too; another shell is refused", async () => {
		for (const shell of ["zsh", "fish"])
			for (const word of ["status", "quarantine", "retry", "glossary"]) expect((await runHere(["completion", shell])).out).toContain(word);
		expect(await runHere(["completion", "tcsh"])).toMatchObject({ code: 2, out: "" });
		expectGolden("completion.shape.txt", shapeOf(JSON.parse((await runHere(["completion", "fish", "--json"])).out)));
	});
});

describe("orion help glossary", () => {
	test("is there, in order, for people and programs, at 80 columns", async () => {
		const { code, out } = await runHere(["help", "glossary"], { outIsTty: true, columns: 80, env: { NO_COLOR: "1" } });
		expect(code).toBe(0);
		expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
		expectGolden("glossary.card.txt", out);
		expectGolden("glossary.shape.txt", shapeOf(JSON.parse((await runHere(["glossary", "--json"])).out)));
		const words = GLOSSARY.map(([word]) => word.toLowerCase());
		expect(words).toEqual([...words].sort());
	});
});
