// Says to the compiler what build/pack.mjs gives to tests.
export const packInto: (folder: string) => {
	readonly path: string;
	readonly files: readonly { readonly path: string; readonly size: number }[];
	readonly bytes: number;
};
