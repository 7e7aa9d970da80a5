// Decides what all commands are declared with: how they are bound to a session, how their examples stand in the help, how numbers are read.
import { InvalidArgumentError } from "commander";
import type { Session } from "./session.ts";

export type Bind = <A extends readonly unknown[]>(work: (session: Session, ...args: A) => Promise<number>) => (...args: unknown[]) => Promise<void>;

export const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;

export const parseNumber = (text: string): number => {
	const number = Number(text);
	if (text.trim() === "" || !Number.isFinite(number)) throw new InvalidArgumentError("It is a number.");
	return number;
};

export const parsePositive = (text: string): number => {
	const number = parseNumber(text);
	if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("It is a whole number from 1 on.");
	return number;
};
