// Measures how many records per second go through the engine in a replay, beside JSON.parse of the same bytes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Envelope, encodeEnvelope } from "../../contracts/envelope.ts";
import { step } from "../../core/engine.ts";
import { Replay } from "../../core/memory/replay.ts";
import { loadPolicy, POLICY_FILES, type PolicyTexts } from "../../core/service/policies.ts";
import { emptyState } from "../../core/state.ts";
import { ROOT } from "../support/mesh.ts";
import { type Figure, figure } from "./figures.ts";
import { median } from "./load.ts";

const INPUTS = 60_000;
const ROUNDS = 3;

const policy = () => {
	const texts = Object.fromEntries(
		POLICY_FILES.map((file) => [file, { shownAs: `policies/${file}`, text: readFileSync(join(ROOT, "policies", file), "utf8") }]),
	);
	const loaded = loadPolicy(texts as unknown as PolicyTexts);
	if (!loaded.ok) throw new Error("the shipped policies do not load");
	return loaded.value;
};

/** A day of a small mesh, squeezed: measurements, alerts that come and go, services that die and are repaired by hand. */
const history = (): readonly { readonly position: number; readonly envelope: Envelope; readonly bytes: Uint8Array }[] => {
	const { hash, content } = policy();
	const records: { position: number; envelope: Envelope; bytes: Uint8Array }[] = [];
	let state = emptyState("bench");
	const put = (envelope: Envelope): void => {
		records.push({ position: records.length + 1, envelope, bytes: encodeEnvelope(envelope) });
	};
	const feed = (source: string, type: string, data: object): void => {
		const position = records.length + 1;
		const envelope = { specversion: "1.0", id: `in-${position}`, source, type: `dev.orion.${type}.v1`, data } as unknown as Envelope;
		put(envelope);
		const next = step(state, { position, envelope });
		state = next.state;
		for (const output of next.outputs) put(output);
	};
	feed("/core/policy", "policy.activated", { hash, content, files: [] });
	for (let n = 0; n < INPUTS; n++) {
		const node = `pi-${n % 5}`;
		const kind = n % 20;
		if (kind === 0) feed("/core/clock", "clock.tick", { engineMs: n * 10, wallMs: 1_700_000_000_000 + n * 10, quality: "synced", offsetMinutes: 0 });
		else if (kind === 1) feed(`/nodes/${node}`, "alert.firing", { name: `a-${n % 40}`, severity: "warning", summary: "bench" });
		else if (kind === 11) feed(`/nodes/${node}`, "alert.resolved", { name: `a-${(n - 10) % 40}` });
		else if (kind === 5) feed(`/nodes/${node}`, "process.down", { service: "web", cause: "exited", exitCode: 1, downs: 1 });
		else if (kind === 6) feed(`/nodes/pi-${(n - 1) % 5}`, "process.up", { service: "web", pid: n, startTicks: n, how: "started", starts: n });
		else feed(`/nodes/${node}`, "host.metrics", { cpuRatio: 0.2, memoryUsedRatio: 0.4, diskUsedRatioMax: 0.5, uptimeSeconds: n });
	}
	return records;
};

export const engineFigures = async (say: (line: string) => void): Promise<readonly Figure[]> => {
	const records = history();
	const rates: number[] = [];
	const raw: number[] = [];
	const decoder = new TextDecoder();
	for (let round = 1; round <= ROUNDS; round++) {
		let beganMs = performance.now();
		for (const { bytes } of records) JSON.parse(decoder.decode(bytes));
		raw.push(records.length / ((performance.now() - beganMs) / 1_000));
		const replay = new Replay("bench");
		beganMs = performance.now();
		for (const record of records) replay.push(record);
		replay.finish();
		if (replay.divergence !== undefined) throw new Error(`the bench's own history does not replay: ${JSON.stringify(replay.divergence).slice(0, 500)}`);
		rates.push(records.length / ((performance.now() - beganMs) / 1_000));
		say(`replay round ${round} of ${ROUNDS}: ${Math.round(rates.at(-1) ?? 0)} records/s`);
	}
	return [
		figure(
			"replay.rate",
			median(rates),
			"records/s",
			{ name: "JSON.parse of the same bytes", value: median(raw), unit: "records/s" },
			">= 50000 records/s",
			(value) => value >= 50_000,
		),
	];
};
