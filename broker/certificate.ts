// Decides what the certificate of a peer is worth: whose it is, and whether it is over or was taken back.
import { X509Certificate } from "node:crypto";
import { type Fault, fault } from "../contracts/errors.ts";
import { NODE_ID } from "../contracts/topics.ts";
import type { Certified, ClientKind } from "./ports.ts";

const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const SUBJECT = /^CN=([^\n]+)$/;

export type Standing = "valid" | "expired" | "revoked";

/**
 * Whom the certificate (DER) names; undefined if this authority did not give it to a node. Whether its time is over is not asked here: the
 * library's own check says nothing else of one that is over, so its signature is checked by hand. That the peer holds the key the handshake has proven.
 */
export const readCertified = (raw: Uint8Array, authority: X509Certificate): Certified | undefined => {
	try {
		const certificate = new X509Certificate(raw);
		const node = SUBJECT.exec(certificate.subject)?.[1];
		if (node === undefined || !NODE_ID.test(node) || certificate.ca) return undefined;
		if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) return undefined;
		if (!(certificate.keyUsage ?? []).includes(CLIENT_AUTH)) return undefined;
		return { node, serial: certificate.serialNumber, notAfterWallMs: Date.parse(certificate.validTo) };
	} catch {
		return undefined;
	}
};

/** By core's clock alone: the clock of a node decides nothing here. */
export const standingOf = ({ serial, notAfterWallMs }: Certified, isRevoked: (serial: string) => boolean, wallMs: number): Standing => {
	if (isRevoked(serial)) return "revoked";
	return wallMs < notAfterWallMs ? "valid" : "expired";
};

/** What such a certificate keeps its holder from; with one that is over a node still says how it is, and can be stopped and stop others. */
export const certificateFault = (standing: Standing, { node }: Certified, kind: ClientKind): Fault | undefined => {
	if (standing === "revoked") return fault("CERTIFICATE_REVOKED", { node });
	return standing === "expired" && kind !== "safety" ? fault("CERTIFICATE_EXPIRED", { node }) : undefined;
};
