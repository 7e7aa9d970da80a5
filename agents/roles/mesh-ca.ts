// Connects the mesh to its own certificate authority: a key that lies only on core's disk, the certificate that nodes pin, and what it signs.
import "reflect-metadata";
import { createPrivateKey, createPublicKey, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import {
	BasicConstraintsExtension,
	X509Certificate as Certificate,
	cryptoProvider,
	ExtendedKeyUsageExtension,
	KeyUsageFlags,
	KeyUsagesExtension,
	Pkcs10CertificateRequest,
	Pkcs10CertificateRequestGenerator,
	SubjectAlternativeNameExtension,
	X509CertificateGenerator,
} from "@peculiar/x509";
import { fail, OrionError } from "../../contracts/errors.ts";
import { ok, type Result } from "../../contracts/result.ts";
import type { KeptFiles } from "../../core/service/world.ts";
import { CORE_SERVER_NAME } from "./node-certificate.ts";

const FILE = "mesh-ca.json";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const SERIAL_BYTES = 15;
const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 20 * 365;
const SERVER_DAYS = 5 * 365;
const NODE_DAYS = 2 * 365;
/** A Pi without a clock starts in 1970: what it needs in order to find core must be valid then. */
const FROM_THE_FIRST_DAY = new Date(0);

export interface KeyAndCertificate {
	readonly keyPem: string;
	readonly certificatePem: string;
}

export interface MeshCa {
	readonly certificatePem: string;
	/** SHA-256 of the certificate as DER, base64url: what a token pins. */
	readonly pin: string;
	/** A fresh key and certificate for this start of the broker. */
	server(): Promise<KeyAndCertificate>;
	/** The certificate of a node for the key in its request; whatever else the request asks for is not looked at. Fault: REQUEST_UNREADABLE. */
	node(node: string, requestPem: string): Promise<Result<{ readonly certificatePem: string; readonly notAfterWallMs: number; readonly serial: string }>>;
}

cryptoProvider.set(webcrypto);
const { subtle } = webcrypto;

const makeKeys = () => subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>;

const pemOf = async (key: webcrypto.CryptoKey): Promise<string> =>
	createPrivateKey({ key: Buffer.from(await subtle.exportKey("pkcs8", key)), format: "der", type: "pkcs8" }).export({ format: "pem", type: "pkcs8" }) as string;

const keyOf = (pem: string): Promise<webcrypto.CryptoKey> =>
	subtle.importKey("pkcs8", createPrivateKey(pem).export({ format: "der", type: "pkcs8" }), ALGORITHM, false, ["sign"]);

/** Positive, and never the same twice. */
const serial = (): string => `01${randomBytes(SERIAL_BYTES).toString("hex")}`;

/** SHA-256 of a certificate, base64url. */
export const pinOf = (certificate: X509Certificate): string => Buffer.from(certificate.fingerprint256.replaceAll(":", ""), "hex").toString("base64url");

const requestFor = async (node: string, keys: webcrypto.CryptoKeyPair): Promise<string> =>
	(await Pkcs10CertificateRequestGenerator.create({ name: `CN=${node}`, keys, signingAlgorithm: ALGORITHM })).toString("pem");

/** Made on the device that will use it: the key never leaves it. */
export const makeRequest = async (node: string): Promise<{ readonly keyPem: string; readonly requestPem: string }> => {
	const keys = await makeKeys();
	return { keyPem: await pemOf(keys.privateKey), requestPem: await requestFor(node, keys) };
};

/** For a key that is here already. */
export const requestWith = async (node: string, keyPem: string): Promise<string> => {
	const publicKey = createPublicKey(keyPem).export({ format: "der", type: "spki" });
	return requestFor(node, { privateKey: await keyOf(keyPem), publicKey: await subtle.importKey("spki", publicKey, ALGORITHM, true, ["verify"]) });
};

const makeAuthority = async (mesh: string, wallMs: number): Promise<KeyAndCertificate> => {
	const keys = await makeKeys();
	const certificate = await X509CertificateGenerator.createSelfSigned({
		serialNumber: serial(),
		name: `CN=${mesh}`,
		notBefore: FROM_THE_FIRST_DAY,
		notAfter: new Date(wallMs + AUTHORITY_DAYS * DAY_MS),
		signingAlgorithm: ALGORITHM,
		keys,
		extensions: [new BasicConstraintsExtension(true, 0, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true)],
	});
	return { keyPem: await pemOf(keys.privateKey), certificatePem: certificate.toString("pem") };
};

const readAuthority = (text: string): KeyAndCertificate => {
	const damaged = (): OrionError => new OrionError("CONFIG_INVALID", { file: FILE, line: 1, column: 1, detail: "is damaged; restore it from a backup" });
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		throw damaged();
	}
	const { keyPem, certificatePem } = (value ?? {}) as Partial<KeyAndCertificate>;
	if (typeof keyPem !== "string" || typeof certificatePem !== "string") throw damaged();
	try {
		if (!new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))) throw damaged();
	} catch {
		throw damaged();
	}
	return { keyPem, certificatePem };
};

const openAuthority = async (files: KeptFiles, mesh: string, wallMs: number): Promise<KeyAndCertificate> => {
	const text = await files.read(FILE);
	if (text !== undefined) return readAuthority(text);
	const made = await makeAuthority(mesh, wallMs);
	await files.write(FILE, `${JSON.stringify({ schema: "orion.mesh-ca/1", ...made })}\n`, "secret");
	return made;
};

/** Reads the authority of this mesh, or makes it when it is first needed. Fault: CONFIG_INVALID. */
export const openMeshCa = async (files: KeptFiles, mesh: string, wall: () => number): Promise<MeshCa> => {
	const { keyPem, certificatePem } = await openAuthority(files, mesh, wall());
	const signingKey = await keyOf(keyPem);
	const authority = new Certificate(certificatePem);
	const sign = (subject: string, publicKey: Parameters<typeof X509CertificateGenerator.create>[0]["publicKey"], purpose: string, from: Date, untilMs: number) =>
		X509CertificateGenerator.create({
			serialNumber: serial(),
			subject,
			issuer: authority.subject,
			notBefore: from,
			notAfter: new Date(untilMs),
			signingAlgorithm: ALGORITHM,
			publicKey,
			signingKey,
			extensions: [
				new BasicConstraintsExtension(false, undefined, true),
				new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
				new ExtendedKeyUsageExtension([purpose], true),
				...(purpose === SERVER_AUTH ? [new SubjectAlternativeNameExtension([{ type: "dns", value: CORE_SERVER_NAME }])] : []),
			],
		});
	return {
		certificatePem,
		pin: pinOf(new X509Certificate(certificatePem)),
		server: async () => {
			const keys = await makeKeys();
			const made = await sign(`CN=${CORE_SERVER_NAME}`, keys.publicKey, SERVER_AUTH, FROM_THE_FIRST_DAY, wall() + SERVER_DAYS * DAY_MS);
			return { keyPem: await pemOf(keys.privateKey), certificatePem: made.toString("pem") };
		},
		node: async (node, requestPem) => {
			try {
				const request = new Pkcs10CertificateRequest(requestPem);
				if (!(await request.verify())) return fail("REQUEST_UNREADABLE", { detail: "it is not signed by the key that it names" });
				const notAfterWallMs = wall() + NODE_DAYS * DAY_MS;
				const made = await sign(`CN=${node}`, request.publicKey, CLIENT_AUTH, FROM_THE_FIRST_DAY, notAfterWallMs);
				const certificatePem = made.toString("pem");
				return ok({ certificatePem, notAfterWallMs, serial: new X509Certificate(certificatePem).serialNumber });
			} catch (error) {
				return fail("REQUEST_UNREADABLE", { detail: error instanceof Error ? error.message.slice(0, 200) : "unknown" });
			}
		},
	};
};
