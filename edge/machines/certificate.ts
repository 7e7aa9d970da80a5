// Decides what a node is by its certificate: whether it is restricted, and whether it asks for a new one now.

/** What core last made of the certificate that this node holds. */
export type CertificateWord = "unheard" | "accepted" | "expired" | "revoked";

/** `refused`: at the broker, which does not say why. `revoked`: core said so when it was asked for a new one. `renewed`: there is a new one. */
export type CertificateNews = "accepted" | "refused" | "revoked" | "renewed";

/** Core's clock and core's list decide; what this node's own clock says of its certificate restricts nothing, because it may be wrong. */
export const hearCertificate = (word: CertificateWord, news: CertificateNews): CertificateWord => {
	switch (news) {
		case "accepted":
			return "accepted";
		case "renewed":
			return "unheard";
		case "revoked":
			return "revoked";
		case "refused":
			return word === "revoked" ? "revoked" : "expired";
	}
};

/** Health and stop, and nothing else: no commands, nothing done alone, no motion. What the node keeps is not touched. */
export const isRestricted = (word: CertificateWord): boolean => word === "expired" || word === "revoked";

/** Early enough that a node which is switched on once in a season still gets it in time. */
export const RENEW_BEFORE_MS = 60 * 86_400_000;
const AGAIN_AFTER_MS = 6 * 3_600_000;
const AGAIN_EXPIRED_AFTER_MS = 60_000;

export interface CertificateView {
	/** Until it is over, by this node's clock. */
	readonly leftMs: number;
	/** False for a clock that nobody has set since it started. */
	readonly clockKnown: boolean;
	/** Since it was asked last; absent: it was not. */
	readonly sinceAskedMs?: number;
}

export const asksForCertificate = (word: CertificateWord, { leftMs, clockKnown, sinceAskedMs }: CertificateView): boolean => {
	// Who was put out is let in again by a person only.
	if (word === "revoked") return false;
	const pauseMs = word === "expired" ? AGAIN_EXPIRED_AFTER_MS : AGAIN_AFTER_MS;
	if (sinceAskedMs !== undefined && sinceAskedMs < pauseMs) return false;
	return word === "expired" || (clockKnown && leftMs < RENEW_BEFORE_MS);
};
