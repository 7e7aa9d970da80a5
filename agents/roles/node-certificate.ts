// Connects a node's folder to its place in a TLS mesh: key, certificate, and the one authority that it believes.
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import type { HeldCertificate } from "../../edge/certificate-watch.ts";
import type { MqttTls } from "../../edge/mqtt.ts";
import { readText } from "./kept-files.ts";

/** Nodes know core by this name whatever its address is: an address may change, the authority does not. */
export const CORE_SERVER_NAME = "core.orion.internal";

export const NODE_FILES = { key: "node.key", certificate: "node.crt", authority: "mesh-ca.crt" } as const;

/** What a node is, and what one that only publishes events is: the same contract, and an agent starts only with the first. */
export const NODE_FILE = "node.json";
export const CLIENT_FILE = "client.json";

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

export const heldCertificate = (certificatePem: string): HeldCertificate => {
	const { serialNumber: serial, validTo } = new X509Certificate(certificatePem);
	return { serial, notAfterWallMs: Date.parse(validTo) };
};
