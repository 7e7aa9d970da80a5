// Connects `orion join` to a mesh elsewhere: this device becomes one of its nodes, and is told how to start its agent.
import { resolve } from "node:path";
import { nodeTopic } from "../../contracts/topics.ts";
import { type JoinedMesh, joinMesh } from "../roles/join.ts";
import type { Session } from "./session.ts";

export interface JoinOptions {
	readonly state: string;
	readonly client?: boolean;
}

/** The user and password stand in a file that only its owner reads. */
const publishing = (folder: string, { node, url }: JoinedMesh): readonly string[] => {
	const { hostname, port } = new URL(url);
	return [
		"Its key was made here and stays here. It only publishes events; its password stands in client.json there. For example:",
		"",
		`  mosquitto_pub -h ${hostname} -p ${port} --cafile ${folder}/mesh-ca.crt --cert ${folder}/node.crt --key ${folder}/node.key --insecure \\`,
		`    -i ${node} -u ${node} -P PASSWORD -q 1 -t ${nodeTopic(node, "evt", "alert")} -m EVENT`,
		"",
		"(core has one name whatever its address is, so --insecure: the certificate is still checked against mesh-ca.crt, the name is not.)",
		`Its certificate is renewed with this line; let a timer say it each month:  orion renew --state ${folder}`,
	];
};

export const join = async (session: Session, address: string, token: string, { state, client = false }: JoinOptions): Promise<number> => {
	const folder = resolve(state);
	const joined = await session.waiting(() => "joining", joinMesh(folder, address, token, client));
	const until = new Date(joined.notAfterWallMs).toISOString();
	if (session.json) {
		session.print({
			schema: "orion.join/1",
			mesh: joined.mesh,
			node: joined.node,
			url: joined.url,
			folder,
			certificateUntil: until,
			...(client ? { client } : {}),
		});
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
			...(client
				? publishing(folder, joined)
				: ["Its key was made here and stays here. Now start the agent, and leave it running:", "", `  orion agent --state ${folder}`]),
		].join("\n"),
	);
	return 0;
};
