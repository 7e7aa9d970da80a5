// Decides what polkit is told of a node that looks after units of systemd, and where.
/** Folders in which polkit looks for the rules of this machine, the outer one first. */
export const RULES_FOLDERS = ["/etc/polkit-1", "/etc/polkit-1/rules.d"] as const;

export const rulePath = (user: string): string => `${RULES_FOLDERS[1]}/60-${user}.rules`;

/** `rule` is the shipped text, with its @PLACES@; units as the contract of a node's configuration has them. */
export const polkitRule = (rule: string, user: string, units: readonly string[]): string =>
	rule.replaceAll("@USER@", () => user).replaceAll("@UNITS@", () => JSON.stringify(units));
