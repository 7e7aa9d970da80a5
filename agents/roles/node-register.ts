// Connects node names to the hashes of their passwords, in one file that only its owner reads.
import { randomBytes } from "node:crypto";
import { hashPassword, rememberingVerifier } from "../../broker/passwords.ts";
import type { Credentials } from "../../broker/ports.ts";
import type { NodeRows } from "../../contracts/bridge.ts";
import { fail, OrionError } from "../../contracts/errors.ts";
import { ok } from "../../contracts/result.ts";
import { NODE_ID, RESERVED_NODES } from "../../contracts/topics.ts";
import type { NodeRegister } from "../../core/service/core.ts";
import type { KnownNode } from "../../core/service/ports.ts";
import type { HostClock, KeptFiles } from "../../core/service/world.ts";
import { type CertificateBook, openCertificateBook } from "./certificate-book.ts";

const FILE = "nodes.json";
const PASSWORD_BYTES = 24;

/** No hash: no password is right for it, in older versions too. */
const NO_PASSWORD = "none";

interface Row {
	readonly password: string;
	readonly addedWallMs: number;
	/** It publishes events and is no node. */
	readonly client?: boolean;
	/** Its credential was taken back then; its place is kept so that people see it. */
	readonly revokedWallMs?: number;
}

const parseRows = (text: string): Map<string, Row> => {
	const damaged = (detail: string): never => {
		throw new OrionError("CONFIG_INVALID", { file: FILE, line: 1, column: 1, detail });
	};
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return damaged("is not JSON; restore it from a backup");
	}
	const nodes = typeof value === "object" && value !== null && "nodes" in value ? value.nodes : undefined;
	if (typeof nodes !== "object" || nodes === null) return damaged("has no nodes; restore it from a backup");
	const rows = new Map<string, Row>();
	for (const [node, row] of Object.entries(nodes)) {
		const { password, addedWallMs, client, revokedWallMs } = (row ?? {}) as Partial<Row>;
		if (!NODE_ID.test(node) || typeof password !== "string" || typeof addedWallMs !== "number")
			return damaged(`has a broken row for ${node}; restore it from a backup`);
		rows.set(node, { password, addedWallMs, ...(client === true ? { client } : {}), ...(typeof revokedWallMs === "number" ? { revokedWallMs } : {}) });
	}
	return rows;
};

export interface OpenRegister extends NodeRegister, Credentials {
	/** A fresh password for a node, known or not; the one before stops working. */
	renew(node: string): Promise<string>;
	/** What nodes were given to show at the TLS door, and what was taken back of it. */
	readonly certificates: CertificateBook;
	isClient(node: string): boolean;
	/** Hashes, for a broker elsewhere that has to let the same nodes in. */
	rows(): NodeRows;
	/** Everything as another register has it. Rejects with OrionError CONFIG_INVALID for what is no register. */
	replace(rows: NodeRows): Promise<void>;
}

const known = (node: string, { addedWallMs, client, revokedWallMs }: Row, certificates: CertificateBook): KnownNode => {
	const until = certificates.newest(node)?.notAfterWallMs;
	return {
		node,
		addedWallMs,
		...(client === true ? { client } : {}),
		...(revokedWallMs === undefined ? {} : { revokedWallMs }),
		...(until === undefined ? {} : { certificateUntilWallMs: until }),
	};
};

const openRows = async (files: KeptFiles): Promise<{ readonly rows: Map<string, Row>; readonly save: () => Promise<void> }> => {
	const text = await files.read(FILE);
	const rows = text === undefined ? new Map<string, Row>() : parseRows(text);
	// One write at a time, so that two changes at once both stay.
	let saving: Promise<void> = Promise.resolve();
	const save = (): Promise<void> => {
		saving = saving.then(() =>
			files.write(FILE, `${JSON.stringify({ schema: "orion.node-register/1", nodes: Object.fromEntries(rows) }, null, "\t")}\n`, "secret"),
		);
		return saving;
	};
	return { rows, save };
};

export const openNodeRegister = async (files: KeptFiles, clock: HostClock): Promise<OpenRegister> => {
	const verify = rememberingVerifier(() => clock.now());
	const { rows, save } = await openRows(files);
	const certificates = await openCertificateBook(files, () => clock.wall());
	const renew = async (node: string): Promise<string> => {
		const password = randomBytes(PASSWORD_BYTES).toString("base64url");
		const { addedWallMs = clock.wall(), client } = rows.get(node) ?? {};
		rows.set(node, { password: await hashPassword(password), addedWallMs, ...(client === true ? { client } : {}) });
		await save();
		return password;
	};
	const unknown = (node: string) => fail("NOT_FOUND", { what: "node", id: node, detail: "See: orion node ls" });
	return {
		renew,
		rows: () => Object.fromEntries(rows),
		replace: async (anew) => {
			const parsed = parseRows(JSON.stringify({ nodes: anew }));
			rows.clear();
			for (const [node, row] of parsed) rows.set(node, row);
			await save();
		},
		certificates,
		isClient: (node) => rows.get(node)?.client === true,
		nodes: () => [...rows].map(([node, row]) => known(node, row, certificates)),
		add: async (node, client = false) => {
			if (!NODE_ID.test(node) || RESERVED_NODES.includes(node))
				return fail("USAGE", { detail: `${node} is no node name: 1 to 32 of a-z, 0-9 and -, not ${RESERVED_NODES.join(" or ")}` });
			const before = rows.get(node);
			if (before !== undefined && before.revokedWallMs === undefined)
				return fail("USAGE", { detail: `there is a node ${node} already; remove it first with: orion node rm ${node}` });
			rows.set(node, { password: NO_PASSWORD, addedWallMs: clock.wall(), ...(client ? { client } : {}) });
			return ok({ username: node, password: await renew(node) });
		},
		remove: async (node) => {
			if (!rows.delete(node)) return unknown(node);
			const taken = await certificates.revoke(node);
			await save();
			return ok({ node, certificates: taken });
		},
		revoke: async (node) => {
			const row = rows.get(node);
			if (row === undefined) return unknown(node);
			rows.set(node, { ...row, password: NO_PASSWORD, revokedWallMs: row.revokedWallMs ?? clock.wall() });
			const taken = await certificates.revoke(node);
			await save();
			return ok({ node, certificates: taken });
		},
		remembers: (username, password) => {
			const row = rows.get(username);
			return row !== undefined && verify.remembers(password, row.password);
		},
		check: async (username, password) => {
			const row = rows.get(username);
			return row !== undefined && (await verify(password, row.password));
		},
	};
};
