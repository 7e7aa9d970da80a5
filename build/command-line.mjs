// Decides what a maker's command was asked for: what its flags say, its help, or what is wrong with them.
import { parseArgs } from "node:util";

/** Says what is wrong and how it is called; ends with 2. `help`: its first line is the call. */
export const refuse = (help, what) => {
	process.stderr.write(`${what}\n${help.split("\n")[0]}\n`);
	process.exit(2);
};

/** Flags and words, as node's parseArgs gives them; `--help` is answered here. */
export const asked = (help, options, allowPositionals = false) => {
	try {
		const { values, positionals } = parseArgs({ options: { ...options, help: { type: "boolean", default: false } }, allowPositionals });
		if (!values.help) return { values, positionals };
	} catch (error) {
		refuse(help, error instanceof Error ? error.message : String(error));
	}
	process.stdout.write(help);
	process.exit(0);
};
