import { join } from "node:path";

export { XSOCKET } from "../harness/index.ts";

/** The command as `bun x` and npm's directories have it. */
export const START = join(import.meta.dir, "../../packages/cli/bin/start");

/** What to put before a command so that even root obeys the permissions of files. */
export const HELD_TO_MODES =
  process.geteuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [];
