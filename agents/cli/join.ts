// Connects `orion join` to a mesh elsewhere: this device becomes one of its nodes, and is told how to start its agent.
import { resolve } from "node:path";
import { type JoinedMesh, joinMesh } from "../roles/join.ts";
import { CLIENT_FILE, NODE_FILES } from "../roles/node-certificate.ts";
import { publishLine, shellWord } from "./publish-line.ts";
import type { Session } from "./session.ts";

export interface JoinOptions {
	readonly state: string;
	readonly client?: boolean;
}

/** Its own key says who it is, and its own file knows the password: neither stands in a script or in the history of a shell. */
const publishing = (folder: string, { node, url }: JoinedMesh): readonly string[] => {
	const file = (name: string): string => shellWord(`${folder}/${name}`);
	const certificate = `--cafile ${file(NODE_FILES.authority)} --cert ${file(NODE_FILES.certificate)} --key ${file(NODE_FILES.key)} --insecure`;
	const password = `"$(sed -n 's/.*"password": "\\(.*\\)".*/\\1/p' ${file(CLIENT_FILE)})"`;
	return [
		`Its key was made here and stays here. It only publishes events; its password stands in ${CLIENT_FILE} there. Any script can raise an alert with it`,
		"(client id NAME or NAME.anything, a new id each time):",
		"",
		`  ${publishLine({ node, url, clientId: node, password, certificate })}`,
		"",
		"(core has one name whatever its address is, so --insecure: the certificate is still checked against mesh-ca.crt, the name is not.)",
		`Its certificate is renewed with this line; let a timer say it each month:  orion renew --state ${shellWord(folder)}`,
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
				: ["Its key was made here and stays here. Now start the agent, and leave it running:", "", `  orion agent --state ${shellWord(folder)}`]),
		].join("\n"),
	);
	return 0;
};
