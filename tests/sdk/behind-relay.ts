/* Programs for which serve() needs a relay. */
import { here, OWN_MOUNTS, refusing, startServer } from "../harness/index.ts";

const HIDE = 'mount -t tmpfs none /proc/$$/fdinfo && exec "$@"';
/** Hides fdinfo in /proc from a program, so that Bun's epoll set cannot be read. */
export const HIDING = [...OWN_MOUNTS, "sh", "-c", HIDE, "sh"];

/** As in a unit with RestrictAddressFamilies=AF_UNIX: only the server has sockets of other families. */
export const WITHOUT_INET = refusing("socket", 0, 2, "EAFNOSUPPORT");

/* The beginning of each script: its imports, and the address of its servers. */
const HEAD = `
  import { serve } from "@xsocket/client";
  import { connect } from "node:net";
  const [, via, ...words] = process.argv;
  const place = { via, hostname: "127.0.0.1", port: 0 };`;

/** The output of a script, by default where Bun's epoll set cannot be read. */
export async function said(
  script: string,
  words: readonly string[] = [],
  env = {},
  start = HIDING,
): Promise<string> {
  await using server = await startServer();
  const argv = [process.execPath, "-e", HEAD + script, server.path, ...words];
  const { stdout, stderr } = await here.run([...start, ...argv], { env });
  return stdout + stderr;
}
