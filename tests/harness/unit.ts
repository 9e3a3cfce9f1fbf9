import { here } from "./place.ts";

/** What systemd says of a unit, and whether it takes it. What it says of units of this machine is left out. */
export async function verifyUnit(path: string): Promise<{ said: string; code: number }> {
  const argv = ["systemd-analyze", "--recursive-errors=yes", "--man=no", "verify", path];
  const { code, stdout, stderr } = await here.run(argv);
  const lines = (stdout + stderr).split("\n").filter((line) => !/^\/(?:usr|etc)\//.test(line));
  return { said: lines.join("\n"), code };
}
