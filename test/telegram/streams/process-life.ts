// Decides when a process of core is gone: at a moment, or at its n-th call to the world, before or after that had its effect; what a dead one asks for is never answered.
import type { KeptFiles } from "../../../core/service/world.ts";

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

export class ProcessLife {
	alive = true;
	#endAt: { calls: number; readonly afterEffect: boolean; readonly ended: () => void } | undefined;

	/** The process ends at the n-th call from now. */
	endAt(calls: number, afterEffect: boolean, ended: () => void): void {
		this.#endAt = { calls, afterEffect, ended };
	}

	endNever(): void {
		this.#endAt = undefined;
	}

	/** A call to the world. */
	async call<T>(effect: () => Promise<T>): Promise<T> {
		if (!this.alive) return never();
		const end = this.#endAt;
		if (end !== undefined) end.calls -= 1;
		if (end?.calls !== 0) return this.#answer(effect());
		// Whoever asked is not there any more to hear how it went.
		if (end.afterEffect) effect().catch(() => undefined);
		this.alive = false;
		end.ended();
		return never();
	}

	async #answer<T>(asked: Promise<T>): Promise<T> {
		try {
			const answer = await asked;
			return this.alive ? answer : never();
		} catch (error) {
			if (!this.alive) return never();
			throw error;
		}
	}
}

/** The files of the host as one process sees them. */
export const filesOf = (life: ProcessLife, files: KeptFiles): KeptFiles => ({
	read: (name) => life.call(() => files.read(name)),
	write: (name, text, secret) => life.call(() => files.write(name, text, secret)),
});
