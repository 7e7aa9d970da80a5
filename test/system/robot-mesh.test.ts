// Shows on a whole mesh of real processes what a person elsewhere may have of a robot: a pose and a way down, each recorded with who asked, and no way up (HARM-167, HARM-164).
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { RobotLine } from "../../agents/cli/robot-line.ts";
import type { RobotState } from "../../agents/robot/words.ts";
import { TestMesh, until } from "../support/mesh.ts";

/** Standing up is begun again whenever a turn was late. */
const READY_WITHIN_MS = 300_000;

let mesh: TestMesh | undefined;
let line: RobotLine | undefined;
afterEach(async () => {
	line?.close();
	await mesh?.remove();
});

test(
	"HARM-167 a robot of the mesh takes a pose and sits down by a person's word from elsewhere, and stands up by none",
	async () => {
		const made = await TestMesh.make("node: rover\n", ["--robot", "twin"]);
		mesh = made;
		await made.start();
		const asking = await until("the actuator answers", () =>
			RobotLine.open(join(made.data, "agent")).catch(() => RobotLine.open(made.data).catch(() => undefined)),
		);
		line = asking;
		const ask = (request: object): Promise<RobotState> => asking.ask(request);
		/** As a person at the robot would, however busy the machine is. */
		const stands = (): Promise<true> =>
			until(
				"it stands",
				async () => {
					const { state, armEpoch } = await ask({ verb: "status" });
					if (state === "off") await ask({ verb: "arm", armEpoch }).catch(() => undefined);
					if (state === "hold") await ask({ verb: "sit" }).catch(() => undefined);
					if (state === "fault") await ask({ verb: "release" }).catch(() => undefined);
					return state === "armed" ? true : undefined;
				},
				READY_WITHIN_MS,
			);
		expect((await made.orion("robot", "arm", "--node", "rover")).code).toBe(2);
		// Off, it has nowhere to sit down from; before it is heard, nobody can ask it anything.
		await until("it is asked while it is off", async () => ((await made.orion("robot", "sit", "--node", "rover")).code === 5 ? true : undefined));
		await until(
			"it took the pose",
			async () => {
				await stands();
				await made.orion("robot", "pose", "--pitch", "-5", "--node", "rover");
				// What it came to it keeps, also if a busy machine let the lease run out after that.
				return (await ask({ verb: "status" })).body?.pitchDegrees === -5 ? true : undefined;
			},
			READY_WITHIN_MS,
		);
		const sat = await until(
			"it sits",
			async () => {
				await stands();
				const { code, out } = await made.orion("robot", "sit", "--node", "rover", "--json");
				return code === 0 ? (JSON.parse(out) as object) : undefined;
			},
			READY_WITHIN_MS,
		);
		expect(sat).toMatchObject({ schema: "orion.robot-sit/1", node: "rover", sits: true });
		// A machine too busy to renew its board finds it frozen on the way down: off as well, and said.
		await until("it is down and off", async () => (["off", "fault"].includes((await ask({ verb: "status" })).state) ? true : undefined));
		const { out } = await made.orion("logs", "--json", "--type", "dev.orion.lease.opened");
		expect(out).toContain('"purpose":"move"');
		expect(out).toContain('"purpose":"sit"');
	},
	3 * READY_WITHIN_MS,
);
