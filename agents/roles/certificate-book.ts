// Decides which certificates of nodes count no more, and remembers what was given to whom, in one file that survives restarts.
import { OrionError } from "../../contracts/errors.ts";
import { NODE_ID } from "../../contracts/topics.ts";
import type { KeptFiles } from "../../core/service/world.ts";

const FILE = "certificates.json";
const SERIAL = /^[0-9A-F]{1,64}$/;

export interface Given {
	readonly node: string;
	/** Hex. */
	readonly serial: string;
	readonly notAfterWallMs: number;
	/** When it was taken back; absent: it counts. */
	readonly revokedWallMs?: number;
}

export interface CertificateBook {
	/** On disk before the certificate leaves core: what is not in here could not be taken back. */
	gave(given: Given): Promise<void>;
	/** Takes back everything that a node was ever given, on disk when it resolves; the serials that counted until now. */
	revoke(node: string): Promise<readonly string[]>;
	isRevoked(serial: string): boolean;
	/** Of those that count, the one that is good for longest. */
	newest(node: string): Given | undefined;
}

/** What stands in the file: by serial. Fault: CONFIG_INVALID. */
const parseRows = (text: string): Map<string, Given> => {
	const damaged = (): OrionError =>
		new OrionError("CONFIG_INVALID", {
			file: FILE,
			line: 1,
			column: 1,
			detail: "is damaged; restore it from a backup: without it nobody knows what was taken back",
		});
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		throw damaged();
	}
	const rows = typeof value === "object" && value !== null && "certificates" in value ? value.certificates : undefined;
	if (!Array.isArray(rows)) throw damaged();
	return new Map(
		rows.map((row: unknown): [string, Given] => {
			const { node, serial, notAfterWallMs, revokedWallMs } = (row ?? {}) as Partial<Given>;
			if (typeof node !== "string" || !NODE_ID.test(node) || typeof serial !== "string" || !SERIAL.test(serial) || typeof notAfterWallMs !== "number")
				throw damaged();
			if (revokedWallMs !== undefined && typeof revokedWallMs !== "number") throw damaged();
			return [serial, { node, serial, notAfterWallMs, ...(revokedWallMs === undefined ? {} : { revokedWallMs }) }];
		}),
	);
};

/** By node, of the certificates that count, the one that is good for longest; changes nothing. Fault: CONFIG_INVALID. */
export const newestCertificates = async (read: (name: string) => Promise<string | undefined>): Promise<ReadonlyMap<string, Given>> => {
	const text = await read(FILE);
	const newest = new Map<string, Given>();
	for (const row of text === undefined ? [] : parseRows(text).values())
		if (row.revokedWallMs === undefined && row.notAfterWallMs >= (newest.get(row.node)?.notAfterWallMs ?? 0)) newest.set(row.node, row);
	return newest;
};

/** Fault: CONFIG_INVALID. */
export const openCertificateBook = async (files: KeptFiles, wall: () => number): Promise<CertificateBook> => {
	const text = await files.read(FILE);
	const rows = text === undefined ? new Map<string, Given>() : parseRows(text);
	let saving: Promise<void> = Promise.resolve();
	const save = (): Promise<void> => {
		const write = () => files.write(FILE, `${JSON.stringify({ schema: "orion.certificates/1", certificates: [...rows.values()] })}\n`, "secret");
		saving = saving.then(write, write);
		return saving;
	};
	const counting = (node: string): readonly Given[] => [...rows.values()].filter((row) => row.node === node && row.revokedWallMs === undefined);
	return {
		gave: (given) => {
			rows.set(given.serial, given);
			return save();
		},
		revoke: async (node) => {
			const taken = counting(node);
			// Nothing is ever forgotten here: one that is over would otherwise come back as one that is only over.
			for (const row of taken) rows.set(row.serial, { ...row, revokedWallMs: wall() });
			if (taken.length > 0) await save();
			return taken.map(({ serial }) => serial);
		},
		isRevoked: (serial) => rows.get(serial)?.revokedWallMs !== undefined,
		newest: (node) => [...counting(node)].sort((left, right) => right.notAfterWallMs - left.notAfterWallMs)[0],
	};
};
