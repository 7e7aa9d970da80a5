// The shape of a state machine: a function of state and input that returns the next state and effects as data.

export interface Step<S, E> {
	readonly state: S;
	readonly effects: readonly E[];
}

/** Pure: same state and input, same step. Time, where it matters, is in the input. */
export type Machine<S, I, E> = (state: S, input: I) => Step<S, E>;

export const stay = <S>(state: S): Step<S, never> => ({ state, effects: [] });
