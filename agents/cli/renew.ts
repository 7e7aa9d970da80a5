// Connects `orion renew` to core: this device asks for a new certificate for the key that it has.
import { resolve } from "node:path";
import { renewCertificate } from "../roles/renew.ts";
import type { Session } from "./session.ts";

export const renew = async (session: Session, { state }: { readonly state: string }): Promise<number> => {
	const folder = resolve(state);
	const { node, notAfterWallMs } = await session.waiting(() => "asking core", renewCertificate(folder));
	const until = new Date(notAfterWallMs).toISOString();
	if (session.json) session.print({ schema: "orion.renewed/1", node, folder, certificateUntil: until });
	else
		session.say(
			`${session.paint.green("renewed")} the certificate of ${node}: until ${until.slice(0, 10)}; an agent that runs takes it when it is started again`,
		);
	return 0;
};
