// Connects `orion alert` to the mesh: one CloudEvent of the operator, judged like any other.
import { uuidv7 } from "uuidv7";
import { checkContract } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { WhyView } from "../../core/service/http-why.ts";
import type { StatusView } from "../../core/service/views.ts";
import type { MeshClient } from "./mesh-client.ts";
import type { Session } from "./session.ts";

export interface AlertOptions {
	readonly severity?: string;
	readonly resolved?: boolean;
	readonly label?: readonly string[];
	readonly value?: number;
	readonly threshold?: number;
}

interface Kept {
	readonly position: number;
	readonly id: string;
	readonly duplicate: boolean;
}

const labelsOf = (given: readonly string[]): Readonly<Record<string, string>> =>
	Object.fromEntries(
		given.map((label) => {
			const at = label.indexOf("=");
			if (at < 1) throw new OrionError("USAGE", { detail: `--label ${label} is not KEY=VALUE` });
			return [label.slice(0, at), label.slice(at + 1)];
		}),
	);

const ASKED_MAX = 50;

/** Whether an incident knows this record, once the engine has looked at it; what cannot be told counts as yes. */
const endedSomething = async (mesh: MeshClient, position: number): Promise<boolean> => {
	for (let asked = 0; asked < ASKED_MAX; asked += 1) {
		const { core } = await mesh.get<StatusView>("/state/status");
		if (core.decidedUpTo < position) continue;
		return (await mesh.get<WhyView>(`/why/${position}`)).incident !== undefined;
	}
	return true;
};

export const raiseAlert = async (session: Session, name: string, summary: string | undefined, options: AlertOptions): Promise<number> => {
	const { resolved = false, value, threshold, label = [] } = options;
	if (!resolved && summary === undefined) throw new OrionError("USAGE", { detail: `say what is wrong: orion alert ${name} "text" --severity warning` });
	const severity = options.severity ?? (resolved ? undefined : "warning");
	const data = {
		name,
		...(severity === undefined ? {} : { severity }),
		...(summary === undefined ? {} : { summary }),
		...(label.length === 0 ? {} : { labels: labelsOf(label) }),
		...(value === undefined ? {} : { value }),
		...(threshold === undefined ? {} : { threshold }),
	};
	const checked = checkContract(resolved ? "alert.resolved" : "alert.firing", data);
	if (!checked.ok) {
		const { pointer, detail } = checked.fault.facts;
		throw new OrionError("USAGE", { detail: `${String(pointer).slice(1) || "the alert"} ${String(detail)}` });
	}
	const mesh = await session.mesh();
	const event = {
		specversion: "1.0",
		id: uuidv7(),
		source: "/core/operator",
		type: `dev.orion.alert.${resolved ? "resolved" : "firing"}.v1`,
		subject: name,
		time: new Date(session.host.wallMs()).toISOString(),
		data,
	};
	const kept = await session.waiting(() => "sending", mesh.post<Kept>("/events", event));
	if (session.json) session.print(kept);
	else if (resolved && !(await endedSomething(mesh, kept.position)))
		session.tell(`nothing of the name ${name} was open; that it is over is on disk as #${kept.position}. Open ones: orion incidents`);
	else session.tell(`${resolved ? "resolved" : "raised"} ${name}, on disk as #${kept.position}; see: orion why ${kept.position}`);
	return 0;
};
