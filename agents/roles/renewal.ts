// Decides whether who shows the certificate of a node is given a new one for the same key: also when it is over, never when it was taken back.
import { X509Certificate } from "node:crypto";
import { readCertified } from "../../broker/certificate.ts";
import { fail } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { MeshCa } from "./mesh-ca.ts";
import type { OpenRegister } from "./node-register.ts";

export interface RenewalAsked {
	readonly node: string;
	readonly password: string;
	/** PEM of a request for a certificate. */
	readonly request: string;
}

export interface Renewed {
	readonly certificatePem: string;
	readonly notAfterWallMs: number;
}

const sameKey = (left: X509Certificate, right: X509Certificate): boolean =>
	left.publicKey.export({ format: "der", type: "spki" }).equals(right.publicKey.export({ format: "der", type: "spki" }));

/** `shown`: the peer's certificate as DER, whose key the handshake has proven. Faults: NOT_AUTHENTICATED, CERTIFICATE_REVOKED, REQUEST_UNREADABLE. */
export const renewFor = async (ca: MeshCa, register: OpenRegister, shown: Uint8Array | undefined, asked: RenewalAsked): Promise<Result<Renewed>> => {
	const { node, password, request } = asked;
	const certified = shown === undefined ? undefined : readCertified(shown, new X509Certificate(ca.certificatePem));
	if (shown === undefined || certified === undefined || certified.node !== node) return fail("NOT_AUTHENTICATED");
	const revoked = fail("CERTIFICATE_REVOKED", { node });
	if (register.certificates.isRevoked(certified.serial)) return revoked;
	if (!(await register.check(node, Buffer.from(password)))) return fail("NOT_AUTHENTICATED");
	const made = await ca.node(node, request);
	if (!made.ok) return made;
	const { certificatePem, notAfterWallMs, serial } = made.value;
	if (!sameKey(new X509Certificate(certificatePem), new X509Certificate(shown)))
		return fail("REQUEST_UNREADABLE", { detail: "it names another key than the certificate that is shown" });
	await register.certificates.gave({ node, serial, notAfterWallMs });
	// Taken back while this was made: then the new one goes with the old one.
	if (!register.certificates.isRevoked(certified.serial)) return ok({ certificatePem, notAfterWallMs });
	await register.certificates.revoke(node);
	return revoked;
};
