// Decides where other machines find a mesh, unless it is said otherwise.

export const DEFAULT_MQTTS_PORT = 8883;
export const DEFAULT_JOIN_PORT = 8884;
/** What the join listener is asked: a certificate for a token, and a new one for the one that is shown. */
export const JOIN_PATH = "/join";
export const RENEW_PATH = "/renew";

export interface Listen {
	/** As it was asked for; nothing listens beyond loopback unless it was. */
	readonly address: string;
	readonly mqttsPort: number;
	readonly joinPort: number;
}
