// Decides which colour stands for which gravity, verdict and phase.
import type { Paint } from "./session.ts";

type Style = (text: string) => string;

const same: Style = (text) => text;

export const gravityStyle = (paint: Paint, gravity: string): Style =>
	({ critical: (text: string) => paint.bold(paint.red(text)), error: paint.red, warning: paint.yellow, good: paint.green })[gravity] ?? same;

export const verdictStyle = (paint: Paint, verdict: string): Style =>
	({ act: paint.green, would: paint.cyan, wait: paint.yellow, ask: paint.red, refused: paint.red, nothing: paint.dim })[verdict] ?? same;

export const presenceStyle = (paint: Paint, presence: string): Style =>
	({
		ready: paint.green,
		lost: paint.red,
		suspect: paint.yellow,
		unreachable: paint.yellow,
		init: paint.yellow,
		disconnected: paint.dim,
		"never-seen": paint.dim,
		client: paint.dim,
		revoked: paint.red,
	})[presence] ?? same;

export const phaseStyle = (paint: Paint, phase: string): Style =>
	({ verified: paint.green, "not-verified": paint.red, failed: paint.red, refused: paint.red, unknown: paint.red, undelivered: paint.yellow })[phase] ??
	paint.cyan;
