import { expect, test } from "bun:test";
import { dropsPreload } from "./drops.ts";

const DROPPING = [
  "env -i true",
  "env -0i true",
  "env -u NAME --chdir / -i true",
  "env --ignore-env true",
  "env -S -i\ttrue",
  "nsenter -t 1 -m -e true",
  "nsenter -ae -t 1 true",
  "nsenter --target 1 --env true",
  "bwrap --ro-bind / / --clearenv true",
  "setpriv --reuid=1 --reset-env true",
  "setpriv --reset-e true",
  "su - nobody",
  "su nobody -lc true",
  "su -pl nobody",
  "su --log nobody",
  "runuser --login nobody -- true",
  "systemd-run --pty true",
];
const KEEPING = [
  "env NAME=value true -i",
  "env -u NAME true -i",
  "env --unset NAME true -i",
  "env -S true\t-i",
  "env NAME=value\t-i true",
  "nsenter -at 1 true -e",
  "bwrap --ro-bind / / true",
  "setpriv --reuid=1 true",
  "setpriv --reuid=1 true --reset",
  "su nobody -c true",
  "su -p nobody --list",
  "runuser -u nobody -- sh -l",
  "systemd-run --scope true",
  "systemd-run -E LD_PRELOAD true",
  "__proto__ true", // a word that JavaScript knows
];

function drops(line: string): boolean {
  const [name = "", ...words] = line.split(" ");
  const path = `/usr/bin/${name}`;
  return dropsPreload({ name, path, image: path }, words);
}

test("recognises command lines that remove LD_PRELOAD from the environment", () => {
  expect(DROPPING.filter((line) => !drops(line))).toEqual([]);
  expect(KEEPING.filter((line) => drops(line))).toEqual([]);
});
