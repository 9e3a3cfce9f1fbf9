import { writeErr } from "../output.ts";
import { takesOrders } from "../words.ts";

const WIDTH = 30; // characters
const ERASE = "\r\u001B[K";

/** A progress bar on standard error. It shows nothing unless that is a terminal that can erase it. */
export class Bar implements Disposable {
  /** Shows a share from 0 to 1. */
  show(share: number, title: string): void {
    if (!takesOrders(process.stderr)) return;
    const done = Math.round(Math.min(1, share) * WIDTH);
    const bar = "#".repeat(done) + ".".repeat(WIDTH - done);
    const room = (process.stderr.columns || Infinity) - 1; // what is erased is one line
    writeErr(ERASE + `[${bar}] ${title}`.slice(0, room));
  }

  [Symbol.dispose](): void {
    if (takesOrders(process.stderr)) writeErr(ERASE);
  }
}
