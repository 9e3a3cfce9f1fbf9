import { fstatSync } from "node:fs";
import { tried } from "./thrown.ts";

/** Answers whether stderr is the journal's stream: systemd.exec(5) says to compare device and inode. */
export function stderrIsJournal(env: NodeJS.ProcessEnv = process.env, fd = 2): boolean {
  const stream = tried(() => fstatSync(fd, { bigint: true }));
  return stream !== undefined && env["JOURNAL_STREAM"] === `${stream.dev}:${stream.ino}`;
}
