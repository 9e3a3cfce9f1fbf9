/*
 * The script that the native launcher starts (packages/xbind-native/src/launch), with two numbers
 * before the user's arguments: the descriptor of the directory that the command was started in,
 * and that of the plan's channel.
 */
import { closeSync } from "node:fs";
import { dispatch } from "./dispatch.ts";
import { explain } from "./explain.ts";
import { words } from "./words.ts";

/* Goes back to the user's directory. Where that may not be entered no name in it could be used. */
function goBack(fd: number): void {
  if (fd < 0) return;
  try {
    process.chdir(`/proc/self/fd/${fd}`);
  } catch {
    /* stay in / */
  }
  closeSync(fd);
}

const [cwdFd, planFd, ...argv] = process.argv.slice(2);
goBack(Number(cwdFd));
try {
  await dispatch(argv, Number(planFd));
} catch (error) {
  const { sentence, exitCode } = explain(error);
  words.error(sentence);
  process.exitCode = exitCode;
}
