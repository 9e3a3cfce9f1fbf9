/*
 * The entry point of the compiled command: an older Bun cannot even parse compiled.js, and would show an error
 * of its engine instead of a sentence. So it must be able to parse all that is imported here.
 */
import { wrongBun } from "../../xbind-native/src/runtime.ts";

const wrong = wrongBun();
if (wrong === undefined) {
  require("./compiled.js"); // oxlint-disable-line import/no-unassigned-import -- it is a program
} else {
  console.error(`xsocket: ${wrong}, or name it in XSOCKET_BUN`);
  process.exitCode = 1;
}
