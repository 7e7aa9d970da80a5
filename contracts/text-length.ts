// Decides how long a text is, as JSON Schema counts: in code points.

/** Only of these are two one character. */
const LEADING_SURROGATE = /[\ud800-\udbff]/;

/**
 * Code points; a surrogate that stands alone is one. Ajv's own looks at each character, and with a class that extends String in the process (the Redis
 * library has one) each look is a search on a prototype. Even without that, counting is half of what an alert's contract costs (0.85 us, and 0.43 in one look).
 */
export const textLength = (text: string): number => {
	if (!LEADING_SURROGATE.test(text)) return text.length;
	let count = 0;
	for (const _ of text) count += 1;
	return count;
};
