// Decides whether a text is what Prometheus reads, and whether its names and labels keep the rules of good metrics.

export interface Metric {
	readonly name: string;
	readonly kind: string;
	readonly help: string;
	readonly samples: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

const NAME = /^[a-z][a-z0-9_]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([+-]?(?:Inf|NaN|[0-9.eE+-]+))$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;
/** Units that a name may end in, before `_total`. */
const UNITS = ["seconds", "bytes", "ratio", "celsius", "records", "events", "clients", "info", "position"];
/** Names of things that are counted or are so; they have no unit. */
const UNITLESS = ["open", "up", "mode", "running", "pending", "level", "outcomes", "behind"];
const SUFFIXES: Readonly<Record<string, readonly string[]>> = { histogram: ["_bucket", "_sum", "_count"], counter: [""], gauge: [""] };

const labelsIn = (text: string, faults: string[]): Readonly<Record<string, string>> => {
	const labels: Record<string, string> = {};
	LABEL.lastIndex = 0;
	while (LABEL.lastIndex < text.length) {
		const at = LABEL.lastIndex;
		const match = LABEL.exec(text);
		if (match === null) {
			faults.push(`labels that cannot be read: ${text.slice(at, at + 60)}`);
			return labels;
		}
		const [, label = "", value = ""] = match;
		if (label in labels) faults.push(`label ${label} twice`);
		labels[label] = value.replaceAll("\\n", "\n").replaceAll('\\"', '"').replaceAll("\\\\", "\\");
	}
	return labels;
};

export const parseMetrics = (text: string): { readonly metrics: readonly Metric[]; readonly faults: readonly string[] } => {
	const faults: string[] = [];
	const metrics: (Metric & { samples: { name: string; labels: Readonly<Record<string, string>>; value: number }[] })[] = [];
	if (!text.endsWith("\n")) faults.push("the last line has no end");
	let help: { name: string; text: string } | undefined;
	for (const line of text.split("\n").slice(0, -1)) {
		const said = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
		if (said !== null) {
			const [, what, name = "", rest = ""] = said;
			if (what === "HELP") help = { name, text: rest };
			else if (help?.name !== name) faults.push(`${name} has a type without help before it`);
			else if (metrics.some((metric) => metric.name === name)) faults.push(`${name} stands twice`);
			else metrics.push({ name, kind: rest, help: help.text, samples: [] });
			continue;
		}
		const sample = SAMPLE.exec(line);
		const metric = metrics.at(-1);
		if (sample === null || metric === undefined) {
			faults.push(`not a line of the format: ${line.slice(0, 80)}`);
			continue;
		}
		const [, name = "", labels = "", value = ""] = sample;
		if (!(SUFFIXES[metric.kind] ?? []).some((suffix) => name === metric.name + suffix)) faults.push(`${name} does not belong to ${metric.name}`);
		metric.samples.push({ name, labels: labelsIn(labels, faults), value: Number(value.replace("Inf", "Infinity")) });
	}
	return { metrics, faults };
};

const nameFaults = ({ name, kind, help }: Metric): readonly string[] => {
	const faults: string[] = [];
	const stem = name.replace(/_total$/, "");
	if (!NAME.test(name)) faults.push(`${name}: lower case, digits and _ only`);
	if (!/^(orion|process)_/.test(name)) faults.push(`${name}: begins with orion_`);
	if ((kind === "counter") !== name.endsWith("_total")) faults.push(`${name}: a counter ends in _total, and nothing else does`);
	if (!["counter", "gauge", "histogram"].includes(kind)) faults.push(`${name}: ${kind} is no type`);
	if (![...UNITS, ...UNITLESS].some((end) => stem.endsWith(`_${end}`))) faults.push(`${name}: ends in a unit`);
	if (/_(ms|milliseconds|minutes|kb|mb|percent)\b/.test(stem)) faults.push(`${name}: base units only`);
	if (!/^[A-Z0-9].*\.$/.test(help)) faults.push(`${name}: the help is a sentence`);
	return faults;
};

const histogramFaults = ({ name, kind, samples }: Metric): readonly string[] => {
	if (kind !== "histogram") return [];
	const buckets = samples.filter((sample) => sample.name.endsWith("_bucket"));
	const count = samples.find((sample) => sample.name.endsWith("_count"))?.value;
	const rising = buckets.every(({ value }, index) => index === 0 || value >= (buckets[index - 1]?.value ?? 0));
	return [
		...(rising ? [] : [`${name}: its buckets fall`]),
		...(buckets.at(-1)?.labels["le"] === "+Inf" && buckets.at(-1)?.value === count ? [] : [`${name}: the last bucket is +Inf and holds all`]),
	];
};

/** Everything that is wrong with a text of metrics; `labelsMax`: series that one metric may have. */
export const lintMetrics = (text: string, labelsMax: number): readonly string[] => {
	const { metrics, faults } = parseMetrics(text);
	return [
		...faults,
		...metrics.flatMap(nameFaults),
		...metrics.flatMap(histogramFaults),
		...metrics.flatMap(({ name, samples }) => (samples.length <= labelsMax ? [] : [`${name} has ${samples.length} series`])),
		...metrics.flatMap(({ name, samples }) => {
			const keys = samples.map((sample) => JSON.stringify([sample.name, sample.labels]));
			return new Set(keys).size === keys.length ? [] : [`${name} says the same series twice`];
		}),
	];
};
