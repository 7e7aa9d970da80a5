// Connects node names to the hashes of their passwords, in one file that only its owner reads.
import { randomBytes } from "node:crypto";
import { hashPassword, rememberingVerifier } from "../../broker/passwords.ts";
import type { Credentials } from "../../broker/ports.ts";
import type { NodeRows } from "../../contracts/bridge.ts";
import { fail, OrionError } from "../../contracts/errors.ts";
import { ok } from "../../contracts/result.ts";
import { NODE_ID, RESERVED_NODES } from "../../contracts/topics.ts";
import type { NodeRegister } from "../../core/service/core.ts";
import type { HostClock, KeptFiles } from "../../core/service/world.ts";

const FILE = "nodes.json";
const PASSWORD_BYTES = 24;

interface Row {
	readonly password: string;
	readonly addedWallMs: number;
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
		const { password, addedWallMs } = row as Partial<Row>;
		if (!NODE_ID.test(node) || typeof password !== "string" || typeof addedWallMs !== "number")
			return damaged(`has a broken row for ${node}; restore it from a backup`);
		rows.set(node, { password, addedWallMs });
	}
	return rows;
};

export interface OpenRegister extends NodeRegister, Credentials {
	/** A fresh password for a node, known or not; the one before stops working. */
	renew(node: string): Promise<string>;
	/** Hashes, for a broker elsewhere that has to let the same nodes in. */
	rows(): NodeRows;
	/** Everything as another register has it. Rejects with OrionError CONFIG_INVALID for what is no register. */
	replace(rows: NodeRows): Promise<void>;
}

export const openNodeRegister = async (files: KeptFiles, clock: HostClock): Promise<OpenRegister> => {
	const verify = rememberingVerifier(() => clock.now());
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
	const renew = async (node: string): Promise<string> => {
		const password = randomBytes(PASSWORD_BYTES).toString("base64url");
		rows.set(node, { password: await hashPassword(password), addedWallMs: rows.get(node)?.addedWallMs ?? clock.wall() });
		await save();
		return password;
	};
	return {
		renew,
		rows: () => Object.fromEntries(rows),
		replace: async (anew) => {
			const parsed = parseRows(JSON.stringify({ nodes: anew }));
			rows.clear();
			for (const [node, row] of parsed) rows.set(node, row);
			await save();
		},
		nodes: () => [...rows].map(([node, { addedWallMs }]) => ({ node, addedWallMs })),
		add: async (node) => {
			if (!NODE_ID.test(node) || RESERVED_NODES.includes(node))
				return fail("USAGE", { detail: `${node} is no node name: 1 to 32 of a-z, 0-9 and -, not ${RESERVED_NODES.join(" or ")}` });
			if (rows.has(node)) return fail("USAGE", { detail: `there is a node ${node} already; remove it first with: orion node rm ${node}` });
			return ok({ username: node, password: await renew(node) });
		},
		remove: async (node) => {
			if (!rows.delete(node)) return fail("NOT_FOUND", { what: "node", id: node, detail: "See: orion node ls" });
			await save();
			return ok({ node });
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
