import { here } from "./place.ts";

/** What systemd says of a unit, and whether it takes it. What it says of units of this machine is left out. */
export async function verifyUnit(path: string): Promise<{ said: string; code: number }> {
  const argv = ["systemd-analyze", "--recursive-errors=yes", "--man=no", "verify", path];
  const { code, stdout, stderr } = await here.run(argv);
  const lines = (stdout + stderr).split("\n").filter((line) => !/^\/(?:usr|etc)\//.test(line));
  return { said: lines.join("\n"), code };
}

/** The version of this machine's systemd, as 257: some keys and options are unknown to older ones. */
export function systemdVersion(): number {
  const { stdout } = Bun.spawnSync(["systemd-analyze", "--version"]);
  return Number(/^systemd (\d+)/.exec(stdout.toString())?.[1]);
}
