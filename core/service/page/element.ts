// Decides how answers become elements of the page: text is only ever text, and a row that did not change is left alone with its focus.

export type Child = Node | string | undefined;
type Attributes = Readonly<Record<string, string | boolean | undefined>>;

export const el = <K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: readonly Child[]): HTMLElementTagNameMap[K] => {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (value === undefined || value === false) continue;
		element.setAttribute(name, value === true ? "" : value);
	}
	element.append(...children.filter((child): child is Node | string => child !== undefined));
	return element;
};

/** An element that the document is known to have. */
export const byId = <T extends HTMLElement>(id: string): T => {
	const found = document.getElementById(id);
	if (found === null) throw new Error(`the page has no #${id}`);
	return found as T;
};

export const show = (element: HTMLElement, isShown: boolean): void => {
	element.hidden = !isShown;
};

/** Says a text only when it is another: a live region would read the same again. */
export const setText = (element: HTMLElement, text: string): void => {
	if (element.textContent !== text) element.textContent = text;
};

/** Makes the children of `parent` these rows, in this order; a row whose signature is as before keeps its element. */
export const keepRows = <T>(
	parent: HTMLElement,
	rows: readonly T[],
	key: (row: T) => string,
	signature: (row: T) => string,
	build: (row: T) => HTMLElement,
	empty?: () => HTMLElement,
): void => {
	const before = new Map([...parent.children].flatMap((child) => (child instanceof HTMLElement ? [[child.dataset["key"] ?? "", child] as const] : [])));
	const next = rows.map((row) => {
		const kept = before.get(key(row));
		const sign = signature(row);
		if (kept?.dataset["sign"] === sign) return kept;
		const made = build(row);
		made.dataset["key"] = key(row);
		made.dataset["sign"] = sign;
		return made;
	});
	const wanted = next.length === 0 && empty !== undefined ? [before.get("") ?? empty()] : next;
	for (const child of [...parent.children]) if (!wanted.includes(child as HTMLElement)) child.remove();
	for (const [index, element] of wanted.entries()) if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
};

/** Pairs of a label and what it says, as a list of definitions. */
export const pairs = (rows: readonly (readonly [string, Child | readonly Child[]])[]): HTMLElement =>
	el(
		"dl",
		{},
		...rows.flatMap(([label, said]) => [el("dt", {}, label), el("dd", {}, ...(Array.isArray(said) ? (said as readonly Child[]) : [said as Child]))]),
	);

export const list = (texts: readonly Child[]): HTMLElement => el("ul", {}, ...texts.map((text) => el("li", {}, text)));

export const code = (text: string): HTMLElement => el("code", {}, text);
