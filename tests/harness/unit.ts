import { symlinkSync } from "node:fs";
import { here } from "./place.ts";
import type { Running } from "./running.ts";
import type { TempDir } from "./temp.ts";
import { eventually } from "./wait.ts";

/** What systemd-analyze prints about a unit, without lines about this machine's units, and its exit code. */
export async function verifyUnit(path: string): Promise<{ said: string; code: number }> {
  const argv = ["systemd-analyze", "--recursive-errors=yes", "--man=no", "verify", path];
  const { code, stdout, stderr } = await here.run(argv);
  const lines = (stdout + stderr).split("\n").filter((line) => !/^\/(?:usr|etc)\//.test(line));
  return { said: lines.join("\n"), code };
}

/** The version of this machine's systemd, such as 257: older ones lack some keys and options. */
export function systemdVersion(): number {
  const { stdout } = Bun.spawnSync(["systemd-analyze", "--version"]);
  return Number(/^systemd (\d+)/.exec(stdout.toString())?.[1]);
}

/** Starts a program named systemd that listens at `path`, as the manager of a socket unit does. */
export async function socketUnit(dir: TempDir, path: string): Promise<Running> {
  symlinkSync(Bun.which("socat") ?? "", dir.join("systemd"));
  const unit = here.spawn([dir.join("systemd"), `UNIX-LISTEN:${path},type=5,fork`, "PIPE"]);
  await eventually("a socket", () => here.listensAt(path));
  return unit;
}
