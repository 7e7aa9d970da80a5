// Shows that an answer which comes again, after a restart too, is one record, and that it is told what came of the first (TELL-41).
import { expect, test } from "vitest";
import { approvalDesk } from "../../../core/service/approvals-desk.ts";
import { CoreProcess, messageOf, recordsOf } from "../../support/core.ts";
import { VirtualDisk } from "../../support/disk.ts";
import { MESH, SESSION } from "../../support/engine.ts";
import { VirtualHost } from "../../support/world.ts";

test("the same no twice in one life, and once more in the next: one answer in the log", async () => {
	const host = new VirtualHost();
	const disk = new VirtualDisk({ now: () => host.time.nowMs });
	const open = async (term: number) => {
		const core = new CoreProcess({ host, disk, term, level: "N3" });
		const { journal, shell, world } = core;
		await core.start();
		return { core, desk: approvalDesk({ journal, mesh: MESH, state: () => shell.state, idle: () => shell.idle(), world }) };
	};
	const first = await open(1);
	await first.core.accept(messageOf("pi-1", "node.state", { state: "ready", session: SESSION, conn: 1 }, 1, SESSION, "safety"));
	const about = { role: "node", version: "1", capabilities: ["process"], actions: ["process.stop"], services: ["web"], contracts: 1, keyId: "k" };
	await first.core.accept(messageOf("pi-1", "node.about", about, 1));
	const alert = { name: "service-runaway", severity: "error", summary: "eats the memory", labels: { service: "web" } };
	await first.core.accept(messageOf("pi-1", "alert.firing", alert, 2));
	await first.core.shell.idle();
	const [question] = Object.values(first.core.shell.state.approvals);
	if (question === undefined) throw new Error("nothing was asked");
	const answer = { approval: question.id, verdict: "deny", boundHash: question.asked.boundHash, by: "telegram:4711 Anna", via: "telegram" } as const;
	const given = async ({ desk }: Pick<typeof first, "desk">) => {
		const decided = await desk.decideApproval(answer, "update-7");
		return decided.ok ? decided.value.status : decided.fault.code;
	};
	expect(await given(first)).toBe("denied");
	expect(await given(first)).toBe("denied");
	first.core.kill();
	await host.time.advance(1_000);
	const second = await open(2);
	expect(await given(second)).toBe("denied");
	const answers = (await recordsOf(disk)).filter(({ envelope }) => envelope.type === "dev.orion.approval.decided.v1");
	expect(answers.map(({ envelope }) => envelope.id)).toEqual(["update-7"]);
	expect(answers[0]?.envelope.recordedtime).toBeDefined();
});
