// Connects `orion config` to orion.yaml and the policies: checked here without a mesh, or read again by the running one.
import { OrionError } from "../../contracts/errors.ts";
import type { Result } from "../../contracts/result.ts";
import { findConfig, readPolicies } from "../roles/config.ts";
import { dataFolder } from "../roles/data-folder.ts";
import type { Session } from "./session.ts";

const must = <T>(result: Result<T>): T => {
	if (result.ok) return result.value;
	throw new OrionError(result.fault.code, result.fault.facts);
};

export const checkConfig = async (session: Session, file: string | undefined): Promise<number> => {
	const config = must(await findConfig(file, dataFolder(session.flags.data)));
	const policy = must(await readPolicies(config));
	const processes = Object.keys(config.value.processes ?? {});
	if (session.json) {
		session.print({ schema: "orion.config/1", ok: true, file: config.file ?? null, processes, policy: { hash: policy.hash, files: policy.files } });
		return 0;
	}
	const { paint } = session;
	const services = processes.length === 0 ? "supervises nothing" : `supervises ${processes.join(", ")}`;
	session.say(
		[
			`${paint.green("OK")} ${config.file ?? "no orion.yaml here or in the data folder: everything has its default"}${config.file === undefined ? "" : `, ${services}`}`,
			`${paint.green("OK")} policy ${policy.hash.slice(7, 15)}: ${policy.files.join(", ")}`,
		].join("\n"),
	);
	return 0;
};

export const reloadConfig = async (session: Session): Promise<number> => {
	const mesh = await session.mesh();
	const answer = await session.waiting(
		() => "reading",
		mesh.post<{ readonly hash: string; readonly changed: boolean }>("/policy/reload", { by: session.host.user }),
	);
	if (session.json) session.print(answer);
	else session.say(`policy ${answer.hash.slice(7, 15)} ${answer.changed ? "is in force now" : "was in force already; nothing changed"}`);
	return 0;
};
