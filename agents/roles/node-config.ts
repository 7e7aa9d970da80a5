// Decides whether the text of a node's configuration is one.
import { checkContract } from "../../contracts/envelope.ts";
import { OrionError } from "../../contracts/errors.ts";
import type { ConfigNode } from "../../contracts/gen/types.ts";
import { gadgetTwice } from "../capabilities/gadgets.ts";

/** `file` is named in the fault: CONFIG_INVALID. */
export const parseNodeConfig = (file: string, text: string | undefined): ConfigNode => {
	const invalid = (detail: string): OrionError => new OrionError("CONFIG_INVALID", { file, line: 1, column: 1, detail });
	if (text === undefined) throw invalid("there is no such file; `orion join` makes one");
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (error) {
		throw invalid(`is not JSON (${error instanceof Error ? error.message : "unreadable"})`);
	}
	const checked = checkContract("config.node", value);
	if (checked.ok) {
		const twice = checked.value.gadgets === undefined ? undefined : gadgetTwice(checked.value.gadgets);
		if (twice === undefined) return checked.value;
		throw invalid(`/gadgets/${twice.path.join("/")} ${twice.detail}`);
	}
	throw invalid(`${String(checked.fault.facts["pointer"])} ${String(checked.fault.facts["detail"])}`);
};
