// Decides what is recorded before a start itself: damage that was accepted, and the level that was asked for.
import type { CoreOptions } from "./core.ts";
import { coreEnvelope, type Incoming } from "./journal.ts";

/** What is recorded before the start itself: damage that was accepted, and the level that was asked for. */
export const startRecords = ({ mesh, world, losses, level: asked }: CoreOptions): readonly Incoming[] => {
	const why = "damaged records, accepted at the start";
	const lost = losses.map(({ fromPosition, toPosition, bytes }) => ({
		envelope: coreEnvelope(mesh, world.clock.wall(), "/core/log", "dev.orion.log.loss.v1", {
			what: "records",
			fromPosition,
			toPosition,
			count: toPosition - fromPosition + 1,
			bytes,
			why,
		}),
	}));
	const level =
		asked === undefined
			? []
			: [{ envelope: coreEnvelope(mesh, world.clock.wall(), "/core/operator", "dev.orion.level.set.v1", { level: asked, by: "command line" }) }];
	return [...lost, ...level];
};
