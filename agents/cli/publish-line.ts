// Decides the line of mosquitto_pub with which a script raises an alert: what a person pastes works as it stands.
import { nodeTopic } from "../../contracts/topics.ts";

const PLAIN = /^[\w@%+=:,./-]+$/;

/** One word of a POSIX shell, whatever it holds. */
export const shellWord = (text: string): string => (PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export interface Publisher {
	readonly node: string;
	/** mqtt://host:port or mqtts://host:port. */
	readonly url: string;
	readonly clientId: string;
	/** As the shell shall read it, quotes included. */
	readonly password: string;
	/** What a connection with a certificate needs beside, as the shell shall read it. */
	readonly certificate?: string;
}

/** An id that was there before is the same message once more: scripts put a new one there each time. */
export const publishLine = ({ node, url, clientId, password, certificate }: Publisher): string => {
	const { hostname, port } = new URL(url);
	const event = {
		specversion: "1.0",
		id: "try-1",
		source: `/nodes/${node}`,
		type: "dev.orion.alert.firing.v1",
		data: { name: "try", severity: "warning", summary: "hello" },
	};
	const way = `-h ${hostname.replace(/^\[|\]$/g, "")} -p ${port}${certificate === undefined ? "" : ` ${certificate}`}`;
	return `mosquitto_pub ${way} -i ${clientId} -u ${node} -P ${password} -q 1 -t ${nodeTopic(node, "evt", "alert")} -m '${JSON.stringify(event)}'`;
};
