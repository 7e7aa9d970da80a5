// Names the version of this code: what records and `orion version` say it was.
import packageJson from "../../package.json" with { type: "json" };

export const VERSION: string = packageJson.version;
