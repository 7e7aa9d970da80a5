// Decides what a shell offers after each word, from the same commands and flags that are run.
import type { Command, Option } from "commander";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

interface Place {
	/** The commands before: "" or "node" or "node add". */
	readonly path: string;
	readonly words: readonly { readonly word: string; readonly says: string }[];
}

const sentence = (text: string): string => text.replaceAll(/\s+/g, " ").trim();

const flagsOf = (options: readonly Option[]): Place["words"] =>
	options
		.filter(({ hidden }) => !hidden)
		.flatMap(({ long, short, description }) => [long, short].flatMap((word) => (word ? [{ word, says: sentence(description) }] : [])));

/** Every place at which something can be typed, and what. */
const placesIn = (program: Command): readonly Place[] => {
	const globals = flagsOf(program.options);
	const visit = (command: Command, path: string): readonly Place[] => {
		const subs = command.commands.filter((sub) => sub.name() !== "help");
		const words = [
			...subs.map((sub) => ({ word: sub.name(), says: sentence(sub.description()) })),
			...(path === "" ? [{ word: "help", says: "help for a command" }] : []),
			...command.registeredArguments.flatMap(({ argChoices, description }) => (argChoices ?? []).map((word) => ({ word, says: sentence(description) }))),
			...(path === "" ? [] : flagsOf(command.options)),
			...globals,
		];
		return [{ path, words }, ...subs.flatMap((sub) => visit(sub, path === "" ? sub.name() : `${path} ${sub.name()}`))];
	};
	const all = visit(program, "");
	const help = all.filter(({ path }) => path !== "" && path !== "glossary" && !path.includes(" ")).map(({ path }) => ({ word: path, says: "" }));
	return [...all, { path: "help", words: [...help, { word: "glossary", says: "what the words mean" }] }];
};

/** Flags that are followed by a value: the word after them is no command. */
const withValue = (program: Command): readonly string[] => {
	const visit = (command: Command): readonly Option[] => [...command.options, ...command.commands.flatMap((sub) => visit(sub))];
	return [
		...new Set(
			visit(program).flatMap(({ long, short, required, optional }) => (required || optional ? [long, short].filter((word) => word !== undefined) : [])),
		),
	].sort();
};

const bash = (places: readonly Place[], values: readonly string[]): string => `# orion completion bash: eval "$(orion completion bash)"
_orion() {
	local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" path="" word skip="" words=""
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		word="\${COMP_WORDS[i]}"
		if [[ -n "$skip" ]]; then skip=""; continue; fi
		case "$word" in
			${values.join("|")}) skip=1 ;;
			-*) ;;
			*) case "\${path:+$path }$word" in
				${places.flatMap(({ path }) => (path === "" ? [] : [`"${path}"`])).join("|")}) path="\${path:+$path }$word" ;;
			esac ;;
		esac
	done
	# What follows a flag is a value: files are offered.
	case "$prev" in ${values.join("|")}) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
	case "$path" in
${places.map(({ path, words }) => `\t\t"${path}") words="${words.map(({ word }) => word).join(" ")}" ;;`).join("\n")}
	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _orion orion
`;

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const zsh = (places: readonly Place[], values: readonly string[]): string => `#compdef orion
# orion completion zsh: source <(orion completion zsh)
_orion() {
	local word path="" skip="" i
	local -a choices
	for ((i = 2; i < CURRENT; i++)); do
		word="\${words[i]}"
		if [[ -n "$skip" ]]; then skip=""; continue; fi
		case "$word" in
			${values.join("|")}) skip=1 ;;
			-*) ;;
			*) case "\${path:+$path }$word" in
				${places.flatMap(({ path }) => (path === "" ? [] : [`"${path}"`])).join("|")}) path="\${path:+$path }$word" ;;
			esac ;;
		esac
	done
	if [[ -n "$skip" ]]; then _files; return; fi
	case "$path" in
${places.map(({ path, words }) => `\t\t"${path}") choices=(${words.map(({ word, says }) => quoted(`${word}:${says}`)).join(" ")}) ;;`).join("\n")}
	esac
	_describe 'orion' choices
}
compdef _orion orion
`;

const fish = (places: readonly Place[]): string => {
	const line = (path: string, word: string, says: string): string => {
		const at =
			path === ""
				? "__fish_use_subcommand"
				: path
						.split(" ")
						.map((part) => `__fish_seen_subcommand_from ${part}`)
						.join("; and ");
		const flag = word.startsWith("--") ? `-l ${word.slice(2)}` : word.startsWith("-") ? `-s ${word.slice(1)}` : `-a ${word}`;
		return `complete -c orion -n ${quoted(at)} ${flag} -d ${quoted(says)}`;
	};
	const lines = places.flatMap(({ path, words }) => words.map(({ word, says }) => line(path, word, says)));
	return `# orion completion fish: orion completion fish | source\ncomplete -c orion -f\n${[...new Set(lines)].join("\n")}\n`;
};

export const completionFor = (program: Command, shell: Shell): string => {
	const places = placesIn(program);
	return { bash: () => bash(places, withValue(program)), zsh: () => zsh(places, withValue(program)), fish: () => fish(places) }[shell]();
};
