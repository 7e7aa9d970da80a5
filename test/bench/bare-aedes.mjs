// The MQTT library alone, in a process of its own, with its defaults but for TCP_NODELAY: what the mesh's broker is measured beside. Prints its port.
// With the address of a Redis as its argument: one plain XADD for each message before it is acknowledged, as most bridges do it.
import { createServer } from "node:net";
import { Aedes } from "aedes";

const [url] = process.argv.slice(2);
const options = {};
if (url !== undefined) {
	const { Redis } = await import("ioredis");
	const redis = new Redis(url, { noDelay: true });
	options.authorizePublish = (_client, packet, done) => {
		redis.xadd("bench", "*", "data", packet.payload).then(() => done(null), done);
	};
}
const aedes = await Aedes.createBroker(options);
const server = createServer({ noDelay: true }, (socket) => aedes.handle(socket));
server.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`));
