/**
 * One line of the matrix: a program, how it is started and what a real client of it must see.
 *
 * Commands are for sh and run in a fresh directory. They find there: `$PORT`, `$DIR` (that
 * directory), `$SOURCES` (the matrix's own small programs), `$UNPACKED` (the directories of packages
 * that are not installed), `$BUN`, and `$HOST`, the address that clients come to.
 */
export interface Program {
  readonly name: string;
  /** Debian packages; the version of the first is reported, unless `version` is a command for it. */
  readonly packages: readonly string[];
  readonly version?: string;
  /**
   * Packages that apt would not install beside others of the matrix, as one more mail server; what
   * they depend on is in `packages`. The version of the first is reported.
   */
  readonly unpacked?: readonly string[];
  /** Written into the directory before anything runs, with the values of those variables for `@DIR@` and the like. */
  readonly files?: Readonly<Record<string, string>>;
  /** Runs before the program, without the library: to build it or to make its database. */
  readonly prepare?: string;
  /** The program, in the foreground. */
  readonly run: string;
  readonly port: number;
  readonly kind?: "tcp" | "udp";
  /** Further words for XBIND, for programs that need more ports than the one that is tried. */
  readonly ports?: string;
  /** Runs as a user without privilege, who owns the directory. */
  readonly unprivileged?: true;
  /** Gives up being root by itself, so its server must let others in. */
  readonly dropsRoot?: true;
  readonly client: string;
  /** What the client must print. */
  readonly expect: RegExp;
  /** The file in which it logs its peers' addresses, or "output". */
  readonly logsPeerTo?: string;
  /** What makes it open another port while it runs. */
  readonly reload?: Reload;
  /** Part of the quick run. */
  readonly quick?: true;
  /** A remark on it in the report. */
  readonly remark?: string;
  /** Set for a program that cannot work: it is an error if it does. */
  readonly cannot?: Impossible;
}

/** New configuration and the signal that makes the program read it. */
interface Reload {
  /** What it writes once it can take the signal. */
  readonly after?: RegExp;
  readonly files?: Readonly<Record<string, string>>;
  readonly signal: NodeJS.Signals;
  readonly port: number;
}

/** Why a program cannot be helped by a preloaded library, and what helps. */
interface Impossible {
  readonly reason: string;
  readonly instead: string;
}

/** An HTTP server: everything but the program itself is the same for all of them. */
export const http = {
  port: 8080,
  client: "curl -s --max-time 5 http://$HOST:$PORT/page",
  files: { page: "a page\n" },
  expect: /a page/,
} as const;

/** A TFTP server, which answers from a port of its own for each transfer. */
export const tftp = {
  port: 6969,
  kind: "udp",
  ports: "0",
  client: "curl -s --max-time 5 tftp://$HOST:$PORT/hello",
  expect: /hello/,
} as const;

/**
 * A command that starts a program which will chroot to `root`, where the control socket has the path
 * that it has outside. The mount is in a namespace of its own and ends with the program.
 */
export const withSocketInRoot = (program: string) =>
  `exec unshare --mount sh -c 'at=\${XSOCKET%/*}; mkdir -p root$at; mount --bind \${at:-root} root$at; exec ${program}'`;
