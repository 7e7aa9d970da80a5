// Connects `orion retry` to the mesh: a person says that something was mended, and the mesh may try again.
import type { Session } from "./session.ts";

export const retryIncident = async (session: Session, id: string): Promise<number> => {
	const mesh = await session.mesh();
	const asked = mesh.post<{ readonly incident: string; readonly key: string }>(`/incidents/${encodeURIComponent(id)}/retry`, { by: session.host.user });
	const answer = await session.waiting(() => "asking", asked);
	if (session.json) session.print(answer);
	else session.tell(`the breaker of ${answer.key} is closed; ${answer.incident} was decided again: orion why ${answer.incident}`);
	return 0;
};
