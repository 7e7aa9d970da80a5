// Decides what an operator is told of who was turned away at the door: the newest few of them, in words that cannot harm a terminal.
import { type Fault, sayFault } from "../../contracts/errors.ts";
import type { Notice } from "./ports.ts";

export interface TurnedAway {
	readonly clientId?: string;
	readonly remote: string;
	readonly fault: Fault;
}

const REFUSALS_MAX = 8;

export const noteRefusal = (notices: Map<string, Notice>, { clientId, remote, fault }: TurnedAway): void => {
	// A client id that was not proven is somebody else's text: shown short and printable.
	const who = clientId === undefined ? remote : `${clientId.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 40)} (${remote})`;
	const key = `refused ${who}`;
	notices.delete(key);
	notices.set(key, { severity: "warning", text: `${who} was turned away: ${sayFault(fault)}`.slice(0, 300) });
	const refusals = [...notices.keys()].filter((name) => name.startsWith("refused "));
	for (const oldest of refusals.slice(0, Math.max(0, refusals.length - REFUSALS_MAX))) notices.delete(oldest);
};
