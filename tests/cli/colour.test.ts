import { expect, test } from "bun:test";
import { here, type RunOptions, typed, XSOCKET } from "../harness/index.ts";

const ESCAPE = "\u001b[";

/* Runs a command on a terminal. */
async function onTerminal(command: string, env: NonNullable<RunOptions["env"]>): Promise<string> {
  const argv = ["script", "-qec", `${typed(XSOCKET)} ${command}`, "/dev/null"];
  const { stdout } = await here.run(argv, { env });
  return stdout;
}

const PLAIN = { NO_COLOR: undefined, CI: undefined, TERM: "xterm" };

test.each(["doctor /nowhere/control", "--help", "run --help"])(
  "%s uses colour only on a terminal",
  async (command) => {
    const isPlanned = command.startsWith("run"); // its output passes through the launcher's pipes
    expect((await onTerminal(command, PLAIN)).includes(ESCAPE)).toBe(!isPlanned);
    expect(await onTerminal(command, { ...PLAIN, NO_COLOR: "1" })).not.toContain(ESCAPE);
    expect(await onTerminal(command, { ...PLAIN, NO_COLOR: "yes" })).not.toContain(ESCAPE);
    expect(await onTerminal(command, { ...PLAIN, TERM: "dumb" })).not.toContain(ESCAPE);
    const piped = await here.run([XSOCKET, ...command.split(" ")], { env: PLAIN });
    expect(piped.stdout + piped.stderr).not.toContain(ESCAPE);
  },
);
