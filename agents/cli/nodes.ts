// Connects `orion node` to the credentials of nodes: given once, shown once, taken away by name.
import { OrionError } from "../../contracts/errors.ts";
import { publishLine } from "./publish-line.ts";
import type { Session } from "./session.ts";

interface Added {
	readonly node: string;
	readonly username: string;
	readonly password: string;
	readonly mqtt: string;
	readonly join?: { readonly address: string; readonly token: string; readonly untilWallMs: number };
}

const joining = ({ join }: Added, client: boolean): readonly string[] =>
	join === undefined
		? []
		: [
				"",
				"Another device becomes it with (once, within the hour; it gets a password of its own):",
				"",
				`  orion join ${join.address} ${join.token}${client ? " --client" : ""}`,
			];

const example = ({ node, password, mqtt }: Added): string => publishLine({ node, url: mqtt, clientId: `${node}.script`, password: `'${password}'` });

export const addNode = async (session: Session, node: string, { client = false }: { readonly client?: boolean }): Promise<number> => {
	const mesh = await session.mesh();
	const added = await session.waiting(() => "adding", mesh.post<Added>("/nodes", { node, by: session.host.user, ...(client ? { client } : {}) }));
	if (session.json) {
		session.print({
			schema: "orion.node/1",
			node: added.node,
			username: added.username,
			password: added.password,
			...(client ? { client } : {}),
			...(added.join === undefined ? {} : { join: added.join }),
		});
		return 0;
	}
	const { paint } = session;
	session.say(
		[
			`${paint.green("added")} ${paint.bold(added.node)}; the password is shown this once:`,
			"",
			`  broker    ${added.mqtt}`,
			`  username  ${added.username}`,
			`  password  ${added.password}`,
			"",
			"Any script can raise an alert with it (client id NAME.anything, a new id each time):",
			"",
			`  ${example(added)}`,
			...joining(added, client),
		].join("\n"),
	);
	return 0;
};

const TAKEN = {
	remove: { says: "is disconnected, its password and certificates stop working, and it is forgotten", done: "removed", note: "its records stay" },
	revoke: {
		says: "is disconnected now, and its password and certificates stop working",
		done: "revoked",
		note: "what it keeps stays there; it may join anew after: orion node add",
	},
} as const;

export const takeNode = async (session: Session, node: string, verb: keyof typeof TAKEN, options: { readonly yes?: boolean }): Promise<number> => {
	const { says, done, note } = TAKEN[verb];
	if (options.yes !== true) {
		if (!session.host.inIsTty || session.json) throw new OrionError("USAGE", { detail: `nobody can be asked here; to ${verb} ${node} give --yes` });
		const typed = await session.host.askLine(`${node} ${says}. Type its name to ${verb} it: `);
		if (typed.trim() !== node) {
			session.note(`that is another name; nothing was ${done}`);
			return 1;
		}
	}
	const mesh = await session.mesh();
	const path = `/nodes/${encodeURIComponent(node)}`;
	const { user } = session.host;
	const asked = verb === "remove" ? mesh.delete(`${path}?by=${encodeURIComponent(user)}`) : mesh.post(`${path}/revoke`, { by: user });
	const taken = await session.waiting(() => (verb === "remove" ? "removing" : "revoking"), asked);
	if (session.json) session.print(taken);
	else session.say(`${done} ${node}; ${note}`);
	return 0;
};
