// Counts what kill -9 costs: acknowledged events that are missing or there twice after the agent, the mesh, or a node and the mesh together were killed.
import { runKillRounds } from "../chaos/kill-rounds.ts";
import { runNetworkRounds } from "../chaos/network-rounds.ts";
import { type Figure, figure } from "./figures.ts";

const KILL_ROUNDS = 6;
const NETWORK_ROUNDS = 12;

export const lossFigures = async (say: (line: string) => void): Promise<readonly Figure[]> => {
	const seed = Date.now() % 1_000_000;
	const kill = await runKillRounds({ rounds: KILL_ROUNDS, seed, say });
	const network = await runNetworkRounds({ rounds: NETWORK_ROUNDS, seed, say });
	const lost = kill.missing + kill.twice + network.missing + network.twice;
	const beside = { name: `acknowledged, seed ${seed}`, value: kill.acknowledged + network.accepted, unit: "events" };
	return [figure("loss.kill9", lost, "events", beside, "0", (value) => value === 0)];
};
