// Says to the compiler what build/page.mjs gives to tests.
export const bundlePage: () => Promise<{ readonly html: string; readonly css: string; readonly script: string }>;
