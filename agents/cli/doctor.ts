// Connects `orion doctor` to its checks: each is said as it is done, with the fix of what is wrong; nothing is changed.
import { OrionError, sayFault } from "../../contracts/errors.ts";
import { dataFolder } from "../roles/data-folder.ts";
import { type HostFacts, hostFacts } from "../roles/host-facts.ts";
import { CHECKS, type Finding, type Patient, type State } from "./doctor-checks.ts";
import { plain, wrap } from "./layout.ts";
import type { MeshClient } from "./mesh-client.ts";
import type { Session } from "./session.ts";

const UNHEALTHY = 9;
const TITLE_WIDTH = 13;
const STATE_WIDTH = 6;
const STATES: readonly State[] = ["OK", "WARN", "FAIL"];

/** The mesh that answers, or why none does. */
const findPatient = async (session: Session, facts: HostFacts): Promise<Patient> => {
	const data = dataFolder(session.flags.data);
	const patient = { data, facts, wallMs: session.host.wallMs() };
	try {
		const mesh: MeshClient = await session.mesh();
		await mesh.get("/healthz");
		return { ...patient, mesh, away: "" };
	} catch (error) {
		if (!(error instanceof OrionError)) throw error;
		const away = error.fault.code === "NOT_RUNNING" ? "no mesh runs here" : sayFault(error.fault);
		return { ...patient, mesh: undefined, away };
	}
};

/** A check that cannot be made is itself a finding, and keeps no other from being made. */
const examined = async (patient: Patient, check: (typeof CHECKS)[number]): Promise<Finding> => {
	try {
		return await check.examine(patient);
	} catch (error) {
		if (error instanceof OrionError) return { state: "FAIL", says: sayFault(error.fault), fix: "orion status" };
		return { state: "FAIL", says: error instanceof Error ? error.message : String(error), fix: "this may be a bug of orion; the other checks say more" };
	}
};

export const runDoctor = async (session: Session, facts: HostFacts = hostFacts()): Promise<number> => {
	const { paint, width, json } = session;
	const patient = await findPatient(session, facts);
	const colour: Readonly<Record<State, (text: string) => string>> = { OK: paint.green, WARN: paint.yellow, FAIL: paint.red };
	const checks: { id: string; title: string; state: State; says: string; fix?: string }[] = [];
	const indent = " ".repeat(STATE_WIDTH + TITLE_WIDTH);
	for (const check of CHECKS) {
		const found = await session.waiting(() => check.title, examined(patient, check));
		checks.push({ id: check.id, title: check.title, ...found });
		if (json) continue;
		session.say(`${colour[found.state](found.state.padEnd(STATE_WIDTH))}${check.title.padEnd(TITLE_WIDTH)}${wrap(plain(found.says), width, indent)}`);
		// A command is not wrapped: it is to be copied.
		if (found.fix !== undefined) session.say(`${indent}${paint.dim("fix:")} ${found.fix}`);
	}
	const count = (state: State): number => checks.filter((check) => check.state === state).length;
	const worst = STATES.findLast((state) => count(state) > 0) ?? "OK";
	if (json) session.print({ schema: "orion.doctor/1", ok: worst !== "FAIL", worst, data: patient.data, checks });
	else if (worst === "OK") session.say(`\n${paint.green(`all ${checks.length} checks are OK`)}`);
	else session.say(`\n${colour[worst](`${count("FAIL")} of ${checks.length} checks fail, ${count("WARN")} warn`)}`);
	return worst === "FAIL" ? UNHEALTHY : 0;
};
