import { symlinkSync } from "node:fs";
import { here } from "./place.ts";
import type { Running } from "./running.ts";
import type { TempDir } from "./temp.ts";
import { eventually } from "./wait.ts";

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

/** A program by the name of systemd that listens at `path`, as the manager of a socket unit does. */
export async function socketUnit(dir: TempDir, path: string): Promise<Running> {
  symlinkSync(Bun.which("socat") ?? "", dir.join("systemd"));
  const unit = here.spawn([dir.join("systemd"), `UNIX-LISTEN:${path},type=5,fork`, "PIPE"]);
  await eventually("a socket", () => here.listensAt(path));
  return unit;
}
