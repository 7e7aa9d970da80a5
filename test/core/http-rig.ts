// Connects tests to the API over real sockets: opened over a desk, asked with the token, closed after each test.
import { afterEach } from "vitest";
import { type HttpApi, type HttpOptions, openHttp } from "../../core/service/http.ts";
import type { DeskWorld } from "./http-desk.ts";

export const TOKEN = "token-of-test-0123456789abcdef0123456789";

export interface Answer<T = Record<string, unknown>> {
	readonly status: number;
	readonly headers: Headers;
	readonly text: string;
	readonly body: T;
}

export interface Question {
	readonly method?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: unknown;
	/** null: none. */
	readonly token?: string | null;
}

export class TestHttp {
	readonly #api: HttpApi;
	constructor(api: HttpApi) {
		this.#api = api;
	}

	get port(): number {
		return this.#api.port;
	}
	get origin(): string {
		return `http://127.0.0.1:${this.#api.port}`;
	}

	async ask<T = Record<string, unknown>>(path: string, { method, headers, body, token = TOKEN }: Question = {}): Promise<Answer<T>> {
		const response = await fetch(`${this.origin}${path}`, {
			method: method ?? (body === undefined ? "GET" : "POST"),
			headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
			...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
		});
		const text = await response.text();
		const isJson = (response.headers.get("content-type") ?? "").startsWith("application/json");
		return { status: response.status, headers: response.headers, text, body: (isJson ? JSON.parse(text) : undefined) as T };
	}
}

const opened: HttpApi[] = [];
afterEach(async () => {
	for (const api of opened.splice(0)) await api.close();
});

export const openOver = async (world: DeskWorld, more: Partial<HttpOptions> = {}): Promise<TestHttp> => {
	const api = await openHttp({ desk: world.desk(), token: TOKEN, host: "127.0.0.1", port: 0, clock: world.clock(), ...more });
	opened.push(api);
	return new TestHttp(api);
};
