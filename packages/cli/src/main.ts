/*
 * The script that the native launcher starts (packages/xbind-native/src/launch), with two numbers
 * before the user's arguments: the descriptor of the directory that the command was started in,
 * and that of the plan's channel. It awaits nothing outside of a function: installed, also by npm, it is
 * compiled beforehand (scripts/bundle.sh), which Bun does for CommonJS alone.
 */
import { startedIn } from "./directory.ts";
import { dispatch } from "./dispatch.ts";
import { complain } from "./explain.ts";
import { nameProcess, settleLibraryDirectory } from "./runtime.ts";

async function main(): Promise<void> {
  const [directoryFd, planFd, ...argv] = process.argv.slice(2);
  try {
    startedIn(Number(directoryFd));
    nameProcess();
    settleLibraryDirectory(process.env);
    await dispatch(argv, Number(planFd));
  } catch (error) {
    complain(error);
  }
}

void main();
