import type { Program } from "./program.ts";
import { table } from "./table/index.ts";

/** The result of one program. */
export interface Verdict {
  readonly program: Program;
  readonly version: string;
  /** What did not hold. */
  readonly failure?: string;
}

/* What is before the tables. `logged` is how many programs have a log that was looked at. */
const opening = (logged: number) => `# Which programs work under libxbind.so

Search this page for a program: the last column says what it needs. What matters is how a program binds
([Ways into bind](#ways-into-bind)), so most others work as well, but not these:

| a program that | what happens | instead |
| --- | --- | --- |
| is statically linked, or written in Go or Free Pascal | \`xsocket run\` refuses it | start it with \`xsocket open --exec\` if it supports systemd's socket activation, call xsocket(3) in its source, or let \`socat\` relay to it, which hides the clients: \`xsocket run --port 8080 -- socat TCP-LISTEN:8080,fork TCP:127.0.0.1:8080\` |
| is set-user-ID, or has capabilities on its file, unless root starts it | \`xsocket run\` refuses it | start it as the user that it becomes, or a copy without them |
| is started by one that drops LD_PRELOAD, such as \`env -i\` | \`xsocket run\` refuses the usual ones; with others its port opens in its own namespace | put \`xsocket run\` directly in front of it |
| binds as a user who may not open the control socket, as PostgreSQL does | bind(2) fails with EACCES | let that user in: \`--group\` or \`--mode\` of \`xsocket serve\`, or [for the units](systemd.md#letting-somebody-in) an ACL |
| binds each address of its own namespace, as BIND does | its port does not open on the target's own addresses | let it listen on \`0.0.0.0\` or \`::\`, or on an address of the target |
| changes its root, then its user, and then binds, as vsftpd does | bind(2) fails with ENOENT | mount the directory of the control socket in that root |
| binds by io_uring, or by a system call instruction of its own, as Rust's crate rustix | its port opens in its own namespace | turn io_uring off in its settings; otherwise as for static programs |
| runs under Wine | its UDP sockets receive nothing | list only TCP ports, as in \`XBIND=tcp/8080\` |

If a port is not open all the same, [errors.md](errors.md#no-error-and-the-port-is-not-there) says how to find out why.

The tables are made by \`./dev programs\`. It starts each program unchanged in a network namespace that has only \`lo\`,
once without the library and once with it. A real client connects to it from the namespace in which its port should open.
Versions are Debian's. "Works" means:

- The client gets its answer.
- The program's log shows the client's real address (looked at for ${logged} programs).
- The port is closed in the program's own namespace.
- Without the library nothing is reachable from outside.
`;

/* What follows the tables is written by hand. */
const HAND_WRITTEN = "\n## Ways into bind\n";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function verdictOf({ program, failure }: Verdict): string {
  if (failure !== undefined) return "**does not work**";
  return program.cannot === undefined ? "works" : "cannot work";
}

function remarkOf({ program, failure }: Verdict): string {
  if (failure !== undefined) return failure.slice(0, 200);
  const { cannot, remark, dropsRoot } = program;
  if (cannot !== undefined) return `${cannot.reason}. Instead: ${cannot.instead}`;
  const said = [
    dropsRoot ? "gives up root before it binds: let its user use the control socket" : undefined,
    remark,
  ];
  return said.filter((words) => words !== undefined).join("; ");
}

function section(heading: string, verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((verdict) => {
    const cells = [verdict.program.name, verdict.version, verdictOf(verdict), remarkOf(verdict)];
    return `| ${cells.map(cell).join(" | ")} |`;
  });
  const head = ["| program | version | verdict | remark |", "| --- | --- | --- | --- |"];
  return `\n## ${heading}\n\n${[...head, ...rows].join("\n")}\n`;
}

/**
 * Makes docs/compatibility.md: one table for each part of the matrix.
 *
 * @param before the page as it was, of which the handwritten part is kept
 */
export function report(verdicts: readonly Verdict[], before: string): string {
  const sections = Object.entries(table).map(([heading, programs]) =>
    section(
      heading,
      verdicts.filter(({ program }) => programs.includes(program)),
    ),
  );
  const kept = before.indexOf(HAND_WRITTEN);
  if (kept < 0) throw new Error(`docs/compatibility.md has lost its heading${HAND_WRITTEN}`);
  const logged = verdicts.filter(
    (verdict) => verdictOf(verdict) === "works" && verdict.program.logsPeerTo !== undefined,
  ).length;
  return opening(logged) + sections.join("") + before.slice(kept);
}
