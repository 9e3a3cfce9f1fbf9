import { join } from "node:path";

const bin = join(import.meta.dir, "../../packages/cli/bin");

/** The command as it is started from the source tree, and as installed. */
export const XSOCKET = join(bin, "xsocket");
/** The command as `bun x` and npm's directories have it. */
export const START = join(bin, "start");

/** What to put before a command so that even root obeys the permissions of files. */
export const HELD_TO_MODES =
  process.geteuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [];
