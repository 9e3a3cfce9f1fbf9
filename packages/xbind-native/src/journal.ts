import { fstatSync } from "node:fs";

/** Answers whether stderr is the journal's stream: systemd.exec(5) says to compare device and inode. */
export function stderrIsJournal(env: NodeJS.ProcessEnv = process.env, fd = 2): boolean {
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return env["JOURNAL_STREAM"] === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
