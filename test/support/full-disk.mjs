// Lets every write of the process into which it is loaded fail as on a full disk, as long as the file that ORION_TEST_DISK_FULL names is there.
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";

const marker = process.env["ORION_TEST_DISK_FULL"] ?? "";
const handle = await open(process.execPath);
const files = Object.getPrototypeOf(handle);
await handle.close();
const { write } = files;
files.write = async function (...given) {
	if (marker !== "" && existsSync(marker)) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
	return write.apply(this, given);
};
