/*
 * What is started where the command is compiled: an older Bun cannot even parse compiled.js, and would
 * show an error of its engine in place of a sentence. All that is imported here has to be readable for it.
 */
import { wrongBun } from "../../xbind-native/src/runtime.ts";

const wrong = wrongBun();
if (wrong === undefined) {
  require("./compiled.js"); // oxlint-disable-line import/no-unassigned-import -- it is a program
} else {
  console.error(`xsocket: ${wrong}, or name it in XSOCKET_BUN`);
  process.exitCode = 1;
}
