// Decides what an operator has to enter so that a broker on another machine is let in, and no further than it needs.
import { randomBytes } from "node:crypto";
import { bridgeRights } from "../../contracts/bridge.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { StatusView } from "../../core/service/views.ts";
import type { Session } from "./session.ts";

const NAME = /^[a-z0-9-]{1,32}$/;
const PASSWORD_BYTES = 24;

export const addBroker = async (session: Session, name: string): Promise<number> => {
	if (!NAME.test(name)) throw new OrionError("USAGE", { detail: `${name} is no name of a broker: 1 to 32 of a-z, 0-9 and -` });
	const mesh = await session.mesh();
	const status = await session.waiting(() => "asking", mesh.get<StatusView>("/state/status"));
	const user = `broker-${name}`;
	const password = randomBytes(PASSWORD_BYTES).toString("hex");
	const acl = `ACL SETUSER ${user} reset on >${password} ${bridgeRights(name).join(" ")}`;
	const at = status.redis === undefined ? "REDIS-HOST:6379" : new URL(status.redis.url).host;
	const command = `orion broker --core redis://${user}:${password}@${at} --name ${name} --mesh ${status.mesh}`;
	if (session.json) session.print({ schema: "orion.broker-add/1", name, user, password, acl, command, mesh: status.mesh });
	else
		session.say(
			[
				"1. in Redis (redis-cli; keep it with ACL SAVE or CONFIG REWRITE):",
				`   ${acl}`,
				"",
				"2. in orion.yaml of core, and start core again:",
				"   redis:",
				"     url: ...",
				`     brokers: [${name}]`,
				"",
				"3. on the other machine (the address of Redis as that machine sees it):",
				`   ${command}`,
				"",
				session.paint.dim("The password is shown once."),
			].join("\n"),
		);
	return 0;
};
