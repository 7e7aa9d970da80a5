// Decides what a person is told of the credential of a node: which kind it is of, and how long its certificate still counts.
import type { KnownNode } from "./ports.ts";

const DAY_MS = 86_400_000;

export interface CredentialView {
	readonly kind: "node" | "client";
	/** `none`: it never came by TLS, or has none that counts. */
	readonly certificate: "none" | "valid" | "expired" | "revoked";
	readonly certificateUntil?: string;
	/** Whole days until it is over, rounded down; below 0: it is. */
	readonly certificateDaysLeft?: number;
	readonly revokedAt?: string;
}

const iso = (wallMs: number): string => new Date(wallMs).toISOString();

export const credentialView = ({ client, revokedWallMs, certificateUntilWallMs: until }: KnownNode, wallMs: number): CredentialView => {
	const kind = client === true ? "client" : "node";
	if (revokedWallMs !== undefined) return { kind, certificate: "revoked", revokedAt: iso(revokedWallMs) };
	if (until === undefined) return { kind, certificate: "none" };
	const daysLeft = Math.floor((until - wallMs) / DAY_MS);
	return { kind, certificate: wallMs < until ? "valid" : "expired", certificateUntil: iso(until), certificateDaysLeft: daysLeft };
};
