// Connects `orion level` to the autonomy level: shows it with what each one means, or sets it.
import type { Level } from "../../core/policy.ts";
import type { LevelView, StatusView } from "../../core/service/views.ts";
import { wrap } from "./layout.ts";
import type { Session } from "./session.ts";

const lines = ({ paint, width }: Session, { level, levels }: LevelView): readonly string[] => [
	...levels.map((row) => {
		const text = `${row.level === level ? ">" : " "} ${row.level}  ${wrap(row.says, width, " ".repeat(6))}`;
		return row.level === level ? paint.bold(text) : text;
	}),
];

export const showLevel = async (session: Session): Promise<number> => {
	const mesh = await session.mesh();
	const view = await session.waiting(() => "asking", mesh.get<LevelView>("/level"));
	if (session.json) session.print(view);
	else session.say([...lines(session, view), "", session.paint.dim("set it with: orion level N2 -m why")].join("\n"));
	return 0;
};

export const setLevel = async (session: Session, level: Level, options: { readonly message?: string }): Promise<number> => {
	const mesh = await session.mesh();
	const body = { level, by: session.host.user, ...(options.message === undefined ? {} : { why: options.message }) };
	const view = await session.waiting(() => "setting", mesh.post<LevelView & { readonly before: Level; readonly position: number }>("/level", body));
	if (session.json) {
		session.print(view);
		return 0;
	}
	const { before } = view;
	session.say([before === level ? `the level was ${level} already` : `the level was ${before} and is ${level} now`, ...lines(session, view)].join("\n"));
	const status = await mesh.get<StatusView>("/state/status");
	if (status.incidents.open > 0) session.say(`${session.paint.dim("open incidents were decided again:")} orion incidents`);
	return 0;
};
