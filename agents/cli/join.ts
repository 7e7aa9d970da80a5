// Connects `orion join` to a mesh elsewhere: this device becomes one of its nodes, and is told how to start its agent.
import { resolve } from "node:path";
import { joinMesh } from "../roles/join.ts";
import type { Session } from "./session.ts";

export interface JoinOptions {
	readonly state: string;
}

export const join = async (session: Session, address: string, token: string, { state }: JoinOptions): Promise<number> => {
	const folder = resolve(state);
	const joined = await session.waiting(() => "joining", joinMesh(folder, address, token));
	const until = new Date(joined.notAfterWallMs).toISOString();
	if (session.json) {
		session.print({ schema: "orion.join/1", mesh: joined.mesh, node: joined.node, url: joined.url, folder, certificateUntil: until });
		return 0;
	}
	const { paint } = session;
	session.say(
		[
			`${paint.green("joined")} ${joined.mesh} as ${paint.bold(joined.node)}`,
			"",
			`  broker       ${joined.url}`,
			`  certificate  until ${until.slice(0, 10)}`,
			`  kept in      ${folder}`,
			"",
			"Its key was made here and stays here. Now start the agent, and leave it running:",
			"",
			`  orion agent --state ${folder}`,
		].join("\n"),
	);
	return 0;
};
