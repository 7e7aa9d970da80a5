// Decides how time is shown: ages grow and countdowns run between two answers of core, on this browser's own monotonic clock.
import { sayDuration } from "../../../contracts/time.ts";
import { el, setText } from "./element.ts";

/** A time that goes on by itself: how long ago, or how long still. */
export const age = (ageMs: number, atMs: number, before = "", after = ""): HTMLElement => ticking("since", atMs - ageMs, before, after);
export const left = (leftMs: number, atMs: number, before = "", after = ""): HTMLElement => ticking("until", atMs + leftMs, before, after);

const ticking = (kind: "since" | "until", atMs: number, before: string, after: string): HTMLElement => {
	const element = el("span", { class: kind === "until" ? "count" : undefined });
	element.dataset[kind] = String(atMs);
	element.dataset["before"] = before;
	element.dataset["after"] = after;
	paint(element, performance.now());
	return element;
};

/** A figure that stands still for a second is read more easily than one that runs. */
export const wholeSeconds = (ms: number): string => (ms < 60_000 ? `${Math.max(0, Math.floor(ms / 1_000))} s` : sayDuration(ms));

const minutesAndSeconds = (ms: number): string => {
	const seconds = Math.ceil(ms / 1_000);
	return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
};

const paint = (element: HTMLElement, nowMs: number): void => {
	const { since, until, before = "", after = "" } = element.dataset;
	if (since !== undefined) setText(element, `${before}${wholeSeconds(nowMs - Number(since))}${after}`);
	if (until !== undefined) {
		const leftMs = Number(until) - nowMs;
		setText(element, leftMs > 0 ? `${before}${minutesAndSeconds(leftMs)}${after}` : "time is over");
	}
};

/** Paints every running time of the page; called once a second. */
export const paintTimes = (): void => {
	const nowMs = performance.now();
	for (const element of document.querySelectorAll<HTMLElement>("[data-since],[data-until]")) paint(element, nowMs);
};

/** Has the countdown in this element come to its end? */
export const isOver = (element: HTMLElement): boolean => {
	const counting = element.querySelector<HTMLElement>("[data-until]");
	return counting !== null && Number(counting.dataset["until"]) <= performance.now();
};

/** Wall time as a person reads it: the clock today, the day else. */
export const clock = (iso: string): string => {
	const at = new Date(iso);
	if (Number.isNaN(at.getTime())) return "";
	const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
	return Date.now() - at.getTime() < 43_200_000 ? time : `${at.toLocaleDateString([], { month: "short", day: "numeric" })} ${time.slice(0, 5)}`;
};
