// Shows that who has a Redis pays for it with nothing else: the methods of strings stay where V8 finds them at once (RUN-63).
import { setFlagsFromString } from "node:v8";
import { runInThisContext } from "node:vm";
import { expect, test } from "vitest";
import { freePort } from "../../agents/demo/free-port.ts";
import { connectRedis } from "../../log/redis-connection.ts";

test("with the library in the process the methods of strings are no dictionary", async () => {
	setFlagsFromString("--allow-natives-syntax");
	const areInOrder = runInThisContext("() => %HasFastProperties(String.prototype)") as () => boolean;
	await expect(connectRedis({ url: `redis://127.0.0.1:${await freePort()}` })).rejects.toMatchObject({ fault: { code: "REDIS_AWAY" } });
	expect(areInOrder()).toBe(true);
});
