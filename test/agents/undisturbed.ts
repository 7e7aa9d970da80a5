// Decides whether a scenario in real time counts: one that failed while this machine itself stood still is told again from the beginning.
const LOOK_EVERY_MS = 20;
/** Leases last a second and connections two: a machine that pauses again and again for this long breaks them by itself, as it should. */
const PAUSE_MS_MAX = 150;
const WITHIN_MS = 240_000;
export const UNDISTURBED_MS_MAX = 300_000;

/** `again` puts everything away that the scenario made. What fails although the machine never paused, fails. */
export const undisturbed = async (scenario: () => Promise<void>, again: () => Promise<void>): Promise<void> => {
	const endMs = performance.now() + WITHIN_MS;
	for (;;) {
		let [lookedMs, longestMs] = [performance.now(), 0];
		const look = (): void => {
			longestMs = Math.max(longestMs, performance.now() - lookedMs);
			lookedMs = performance.now();
		};
		const looking = setInterval(look, LOOK_EVERY_MS);
		try {
			return await scenario();
		} catch (error) {
			look();
			if (longestMs < PAUSE_MS_MAX || performance.now() > endMs) throw error;
			await again();
		} finally {
			clearInterval(looking);
		}
	}
};
