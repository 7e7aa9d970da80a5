// Connects `orion open` to the mesh: a link for a browser on this machine, good once and for a minute.
import type { Session } from "./session.ts";

interface Opened {
	readonly schema: "orion.open/1";
	readonly url: string;
	readonly validMs: number;
}

export const printLink = async (session: Session): Promise<number> => {
	const mesh = await session.mesh();
	const opened = await session.waiting(() => "asking", mesh.post<Opened>("/session/link", { by: session.host.user }));
	if (session.json) {
		session.print(opened);
		return 0;
	}
	session.say(opened.url);
	session.note(session.paint.dim(`open it in a browser on this machine within ${opened.validMs / 1_000} s; it works once`));
	return 0;
};
