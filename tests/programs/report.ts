import type { Program } from "./program.ts";
import { table } from "./table/index.ts";

/** The result of one program. */
export interface Verdict {
  readonly program: Program;
  readonly version: string;
  /** What did not hold. */
  readonly failure?: string;
}

const HEAD = `# Which programs work under libxbind.so

These tables are made by \`./dev programs\`. It starts each program unchanged in a network namespace that has only \`lo\`,
once without the library and once with it. A real client connects to it from the namespace in which its port should open.
Versions are Debian's. "Works" means:

- The client gets its answer.
- The program's log, if it has one, shows the client's real address.
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
  const { cannot, remark, dropsRoot, logsPeerTo } = program;
  if (cannot !== undefined) return `${cannot.reason}. Instead: ${cannot.instead}`;
  const said = [
    logsPeerTo === undefined ? undefined : "logs the client's address",
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
  return HEAD + sections.join("") + before.slice(kept);
}
