// Connects orion.yaml and the policy files to checked values: found, read, judged, with file, line and column where they are wrong.
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../../contracts/errors.ts";
import type { ConfigOrion } from "../../contracts/gen/types.ts";
import { ok, type Result } from "../../contracts/result.ts";
import { checkYaml } from "../../core/service/checked-yaml.ts";
import { type LoadedPolicy, loadPolicy, missingPolicy, POLICY_FILES, type PolicyFile, type PolicyTexts } from "../../core/service/policies.ts";
import { gadgetTwice } from "../capabilities/gadgets.ts";
import { readText } from "./kept-files.ts";

const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

export interface FoundConfig {
	/** undefined: there is no file, and everything has its default. */
	readonly file: string | undefined;
	readonly value: ConfigOrion;
}

/** `--config FILE`, else orion.yaml here, else orion.yaml in the data folder, else nothing. Fault: CONFIG_INVALID. */
export const findConfig = async (named: string | undefined, dataFolder: string): Promise<Result<FoundConfig>> => {
	const candidates = named === undefined ? [resolve("orion.yaml"), join(dataFolder, "orion.yaml")] : [resolve(named)];
	for (const file of candidates) {
		const text = await readText(file);
		if (text === undefined) continue;
		const checked = checkYaml(file, text, "config.orion", "CONFIG_INVALID");
		if (!checked.ok) return checked;
		const { value, wrong } = checked.value;
		// Passwords would cross the network in the clear.
		if (value.mqtt?.host !== undefined && !isLoopback(value.mqtt.host))
			return wrong(["mqtt", "host"], "only loopback (127.0.0.1): other machines need TLS, which is not here yet");
		const twice = value.gadgets === undefined ? undefined : gadgetTwice(value.gadgets);
		if (twice !== undefined) return wrong(["gadgets", ...twice.path], twice.detail);
		return ok({ file, value });
	}
	if (named !== undefined) return fail("CONFIG_INVALID", { file: resolve(named), line: 1, column: 1, detail: "there is no such file" });
	return ok({ file: undefined, value: {} });
};

/** The project's own policies: beside the sources and beside dist alike. */
export const builtInFolder = (): string => {
	const here = dirname(fileURLToPath(import.meta.url));
	return here.endsWith("roles") ? join(here, "../../policies") : join(here, "../policies");
};

/** The text of a policy as it is shipped. */
export const shippedPolicyText = (name: PolicyFile): Promise<string> => readFile(join(builtInFolder(), name), "utf8");

/** Built-in policy files, each replaced by the one of the same name in the configured folder. Fault: POLICY_INVALID. */
export const readPolicies = async (config: FoundConfig): Promise<Result<LoadedPolicy>> => {
	const own = config.value.policies === undefined ? undefined : resolve(config.file === undefined ? "." : dirname(config.file), config.value.policies);
	const texts: Record<string, { shownAs: string; text: string }> = {};
	for (const name of POLICY_FILES) {
		const mine = own === undefined ? undefined : await readText(join(own, name));
		if (mine !== undefined && own !== undefined) {
			texts[name] = { shownAs: join(config.value.policies ?? own, name), text: mine };
			continue;
		}
		try {
			texts[name] = { shownAs: `policies/${name}`, text: await shippedPolicyText(name) };
		} catch (error) {
			return missingPolicy(`policies/${name}`, `cannot be read (${error instanceof Error ? error.message : "unknown"})`);
		}
	}
	return loadPolicy(texts as unknown as PolicyTexts);
};
