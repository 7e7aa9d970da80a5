// Names the version of this code: what records and `orion version` say it was.
import packageJson from "../../package.json" with { type: "json" };

/** Put in when it is built. */
declare const ORION_COMMIT: string | undefined;

export const VERSION: string = packageJson.version;
/** The commit that it was built from; "unknown" for a copy without its history. */
export const COMMIT: string = typeof ORION_COMMIT === "string" ? ORION_COMMIT : "unknown";
