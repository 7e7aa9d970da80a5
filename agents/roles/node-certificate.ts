// Connects a node's folder to its place in a TLS mesh: key, certificate, and the one authority that it believes.
import { join } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import type { MqttTls } from "../../edge/mqtt.ts";
import { readText } from "./kept-files.ts";

/** Nodes know core by this name whatever its address is: an address may change, the authority does not. */
export const CORE_SERVER_NAME = "core.orion.internal";

export const NODE_FILES = { key: "node.key", certificate: "node.crt", authority: "mesh-ca.crt" } as const;

/** Nothing for a broker without TLS. Fault: CERTIFICATE_MISSING. */
export const readCertificate = async (folder: string, url: string): Promise<{ readonly tls?: MqttTls }> => {
	if (!url.startsWith("mqtts:")) return {};
	const read = async (name: string): Promise<string> => {
		const text = await readText(join(folder, name));
		if (text === undefined) throw new OrionError("CERTIFICATE_MISSING", { url });
		return text;
	};
	const [keyPem, certificatePem, caPem] = await Promise.all([read(NODE_FILES.key), read(NODE_FILES.certificate), read(NODE_FILES.authority)]);
	return { tls: { keyPem, certificatePem, caPem, serverName: CORE_SERVER_NAME } };
};
