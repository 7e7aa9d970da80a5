// Says to the compiler what build/peers.mjs gives to tests.
export const peer: (name: string) => { readonly command: string; readonly env: Readonly<Record<string, string | undefined>> };
