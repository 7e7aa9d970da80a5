// Says to the compiler what the generator of contracts offers to tests.
export interface NamedSchema {
	readonly name: string;
	readonly schema: object;
}
/** Every schema by contract name, sorted. */
export const readSchemas: () => readonly NamedSchema[];
/** File name -> text, for everything below contracts/gen. */
export const generate: () => Promise<Readonly<Record<string, string>>>;
