/*
 * The script that the native launcher starts (packages/xbind-native/src/launch), with two numbers
 * before the user's arguments: the descriptor of the directory that the command was started in,
 * and that of the plan's channel. It awaits nothing outside of a function: installed, also by npm, it is
 * compiled beforehand (scripts/bundle.sh), which Bun does for CommonJS alone.
 */
import { writeFileSync } from "node:fs";
import { speakForCommand, tried } from "@xsocket/xbind-native";
import { startedIn, userDirectory } from "./directory.ts";
import { dispatch } from "./dispatch.ts";
import { complain } from "./complain.ts";

async function main(): Promise<void> {
  const [directoryFd, planFd, ...argv] = process.argv.slice(2);
  speakForCommand();
  try {
    startedIn(Number(directoryFd));
    // by this name ps(1), pgrep(1) and the logs of servers know it; without a /proc to write to, it keeps Bun's
    tried(() => writeFileSync("/proc/self/comm", "xsocket"));
    const libraries = process.env["XSOCKET_LIBDIR"]; // relative to where the command was started, not to /
    if (libraries) process.env["XSOCKET_LIBDIR"] = userDirectory(libraries);
    await dispatch(argv, Number(planFd));
  } catch (error) {
    complain(error);
  }
}

void main();
