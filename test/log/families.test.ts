// Shows into which stream of Redis a record goes beside the one with everything: by its type alone, whatever words it carries (LOSS-20, LOSS-61).
import { expect, test } from "vitest";
import { FAMILY_STREAMS, familyStream } from "../../log/families.ts";

const streamOf = (type: string, data: unknown = {}): string | undefined =>
	familyStream(new TextEncoder().encode(JSON.stringify({ specversion: "1.0", id: "x", source: "/core/x", type, data })));

test.each([
	["process.down", "orion:events"],
	["incident.opened", "orion:incidents"],
	["decision.made", "orion:decisions"],
	["approval.requested", "orion:approval_requests"],
	["approval.decided", "orion:approval_decisions"],
	["approval.closed", "orion:approval_decisions"],
	["level.asked", "orion:approval_requests"],
	["level.answered", "orion:approval_decisions"],
	["action.requested", "orion:actions"],
	["outcome.verified", "orion:outcomes"],
	["clock.tick", undefined],
	["approval.seen", undefined],
	["level.set", undefined],
])("%s goes into %s", (type, stream) => {
	expect(streamOf(`dev.orion.${type}.v1`)).toBe(stream);
	expect(familyStream(new Uint8Array(), `dev.orion.${type}.v1`)).toBe(stream);
	if (stream !== undefined) expect(FAMILY_STREAMS).toContain(stream);
});

test("what a message carries does not decide", () => {
	expect(streamOf("dev.orion.clock.tick.v1", { text: '"type":"dev.orion.incident.opened.v1"' })).toBeUndefined();
	expect(streamOf("dev.orion.alert.firing.v1", { type: "dev.orion.incident.opened.v1" })).toBe("orion:events");
	expect(familyStream(new TextEncoder().encode("no json"))).toBeUndefined();
});

test.each([
	["with a space behind its colon", '{"type": "dev.orion.alert.firing.v1","data":{"type":"dev.orion.incident.opened.v1"}}'],
	["with its own key written in escapes", '{"\\u0074ype":"dev.orion.alert.firing.v1","data":{"type":"dev.orion.incident.opened.v1"}}'],
	["written twice: the last one counts", '{"type":"dev.orion.incident.opened.v1","type":"dev.orion.alert.firing.v1"}'],
	["behind what it carries", '{"data":{"type":"dev.orion.incident.opened.v1"},"type":"dev.orion.alert.firing.v1"}'],
	["after spaces and line breaks", '{ "type" :\n"dev.orion.alert.firing.v1" }'],
])("nobody puts an alert among the incidents: %s", (_, text) => {
	expect(familyStream(new TextEncoder().encode(text))).toBe("orion:events");
});
