// Connects `orion node` to the credentials of nodes: given once, shown once, taken away by name.
import { OrionError } from "../../contracts/errors.ts";
import { nodeTopic } from "../../contracts/topics.ts";
import type { Session } from "./session.ts";

interface Added {
	readonly node: string;
	readonly username: string;
	readonly password: string;
	readonly mqtt: string;
	readonly join?: { readonly address: string; readonly token: string; readonly untilWallMs: number };
}

const joining = ({ join }: Added): readonly string[] =>
	join === undefined
		? []
		: ["", "Another device becomes this node with (once, within the hour; it gets a password of its own):", "", `  orion join ${join.address} ${join.token}`];

const example = ({ node, username, password, mqtt }: Added): string => {
	const { hostname, port } = new URL(mqtt);
	const event = {
		specversion: "1.0",
		id: "try-1",
		source: `/nodes/${node}`,
		type: "dev.orion.alert.firing.v1",
		data: { name: "try", severity: "warning", summary: "hello" },
	};
	return `mosquitto_pub -h ${hostname} -p ${port} -i ${node}.script -u ${username} -P '${password}' -q 1 -t ${nodeTopic(node, "evt", "alert")} -m '${JSON.stringify(event)}'`;
};

export const addNode = async (session: Session, node: string): Promise<number> => {
	const mesh = await session.mesh();
	const added = await session.waiting(() => "adding", mesh.post<Added>("/nodes", { node, by: session.host.user }));
	if (session.json) {
		session.print({
			schema: "orion.node/1",
			node: added.node,
			username: added.username,
			password: added.password,
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
			...joining(added),
		].join("\n"),
	);
	return 0;
};

export const removeNode = async (session: Session, node: string, options: { readonly yes?: boolean }): Promise<number> => {
	if (options.yes !== true) {
		if (!session.host.inIsTty || session.json) throw new OrionError("USAGE", { detail: `nobody can be asked here; to remove ${node} give --yes` });
		const typed = await session.host.askLine(`${node} is disconnected and its password stops working. Type its name to remove it: `);
		if (typed.trim() !== node) {
			session.note("that is another name; nothing was removed");
			return 1;
		}
	}
	const mesh = await session.mesh();
	const removed = await session.waiting(() => "removing", mesh.delete(`/nodes/${encodeURIComponent(node)}?by=${encodeURIComponent(session.host.user)}`));
	if (session.json) session.print(removed);
	else session.say(`removed ${node}; its records stay`);
	return 0;
};
