// Connects `orion approvals invite` to the mesh's chat: a one-time link that makes whoever opens it an admin there.
import { sayDuration } from "../../contracts/time.ts";
import type { Session } from "./session.ts";

export const inviteAdmin = async (session: Session): Promise<number> => {
	const mesh = await session.mesh();
	const asked = mesh.post<{ readonly link: string; readonly forMs: number }>("/approvals/invite", { by: session.host.user });
	const answer = await session.waiting(() => "asking the chat", asked);
	if (session.json) session.print(answer);
	else
		session.say(
			`${session.paint.bold(answer.link)}\n\nWho opens it on a phone with Telegram, and taps Start, may answer questions from then on.\nIt works once, for ${sayDuration(answer.forMs)}. Give it to nobody whom you would not let stop your services.`,
		);
	return 0;
};
