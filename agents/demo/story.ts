// Decides how the demo is told: steps with an id, a title, the words said with their milliseconds, and whether what was told is true.

export interface Said {
	/** Milliseconds since the step began. */
	readonly ms: number;
	readonly text: string;
}

export interface Step {
	readonly id: string;
	readonly title: string;
	readonly ok: boolean;
	readonly ms: number;
	readonly said: readonly Said[];
	/** Numbers measured in this run; their names carry their units. */
	readonly figures: Readonly<Record<string, number>>;
	/** What was expected and did not come. */
	readonly failed?: string;
}

/** What a chapter tells with. */
export interface Teller {
	/** One line, now. */
	say(text: string): void;
	/** Output of a command, as a person would see it. */
	show(command: string, output: string): void;
	figure(name: string, value: number): void;
	/** Ends the step as failed unless it is so. */
	check(isSo: boolean, expected: string): void;
}

export interface Chapter<S> {
	readonly id: string;
	readonly title: string;
	readonly tell: (stage: S, teller: Teller) => Promise<void>;
}

export interface Listener {
	readonly begins: (number: number, chapter: { readonly id: string; readonly title: string }) => void;
	readonly says: (said: Said) => void;
	readonly shows: (command: string, output: string) => void;
	readonly ends: (step: Step) => void;
}

class Unmet extends Error {}

/** Tells one chapter; what it throws is its failure, except an interruption, which goes on up. */
const tellOne = async <S>(stage: S, chapter: Chapter<S>, listener: Listener, signal: AbortSignal): Promise<Step> => {
	const beganMs = performance.now();
	const said: Said[] = [];
	const figures: Record<string, number> = {};
	let failed: string | undefined;
	const teller: Teller = {
		say: (text) => {
			const line = { ms: Math.round(performance.now() - beganMs), text };
			said.push(line);
			listener.says(line);
		},
		show: (command, output) => listener.shows(command, output),
		figure: (name, value) => {
			figures[name] = value;
		},
		check: (isSo, expected) => {
			if (!isSo) throw new Unmet(expected);
		},
	};
	try {
		await chapter.tell(stage, teller);
	} catch (error) {
		if (signal.aborted) throw error;
		failed = error instanceof Error ? error.message : String(error);
	}
	const { id, title } = chapter;
	const ms = Math.round(performance.now() - beganMs);
	return { id, title, ok: failed === undefined, ms, said, figures, ...(failed === undefined ? {} : { failed }) };
};

/** Tells all chapters in order; one that fails does not end the story, because what comes after it may tell why. */
export const tellAll = async <S>(stage: S, chapters: readonly Chapter<S>[], listener: Listener, signal: AbortSignal): Promise<readonly Step[]> => {
	const steps: Step[] = [];
	for (const [index, chapter] of chapters.entries()) {
		signal.throwIfAborted();
		listener.begins(index + 1, chapter);
		const step = await tellOne(stage, chapter, listener, signal);
		steps.push(step);
		listener.ends(step);
	}
	return steps;
};
