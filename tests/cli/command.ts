import { join } from "node:path";

/** The command as it is started from the source tree. */
export const XSOCKET = join(import.meta.dir, "../../packages/cli/bin/xsocket");
