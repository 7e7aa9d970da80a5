// Connects this device to core for a new certificate: the key that it has stays, and the old certificate stays until the new one is on disk.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { OrionError } from "../../contracts/errors.ts";
import type { ConfigNode } from "../../contracts/gen/types.ts";
import type { HeldCertificate } from "../../edge/certificate-watch.ts";
import { foreign, parseAddress, post } from "./core-line.ts";
import { keptFiles, readText } from "./kept-files.ts";
import { DEFAULT_JOIN_PORT, RENEW_PATH } from "./listen.ts";
import { requestWith } from "./mesh-ca.ts";
import { CLIENT_FILE, heldCertificate, NODE_FILE, NODE_FILES, readCertificate } from "./node-certificate.ts";
import { parseNodeConfig } from "./node-config.ts";

const readIdentity = async (folder: string): Promise<ConfigNode> =>
	parseNodeConfig(join(folder, NODE_FILE), (await readText(join(folder, NODE_FILE))) ?? (await readText(join(folder, CLIENT_FILE))));

/** Written by an older `orion join`: the same host, and the port that core uses unless it was told otherwise. */
const joinListenerOf = ({ join: address, url }: ConfigNode): string => address ?? `${new URL(url).hostname}:${DEFAULT_JOIN_PORT}`;

/** Faults: CONFIG_INVALID, CERTIFICATE_MISSING, JOIN_ADDRESS, NOT_AUTHENTICATED, CERTIFICATE_REVOKED, JOIN_BUSY. */
export const renewCertificate = async (folder: string): Promise<HeldCertificate & { readonly node: string }> => {
	const config = await readIdentity(folder);
	const { node, password, url } = config;
	const { tls } = await readCertificate(folder, url);
	if (tls === undefined) throw new OrionError("CERTIFICATE_MISSING", { url });
	const address = parseAddress(joinListenerOf(config));
	const asked = { node, secret: password, request: await requestWith(node, tls.keyPem) };
	const { certificatePem } = await post(address, tls.caPem, RENEW_PATH, asked, { key: tls.keyPem, cert: tls.certificatePem });
	if (typeof certificatePem !== "string") throw foreign(address, "its answer has no certificate");
	const certificate = new X509Certificate(certificatePem);
	if (!certificate.verify(new X509Certificate(tls.caPem).publicKey) || !certificate.checkPrivateKey(createPrivateKey(tls.keyPem)))
		throw foreign(address, "its certificate is not for the key of this device");
	await (await keptFiles(folder)).write(NODE_FILES.certificate, certificatePem, "plain");
	return { node, ...heldCertificate(certificatePem) };
};
