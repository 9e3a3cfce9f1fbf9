import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { guardDescriptors, here } from "../harness/index.ts";
import { XSOCKET } from "./command.ts";

guardDescriptors();

const ODD_START = ["python3", join(import.meta.dir, "odd-start.py")];
const OURS = /^(?:LD_PRELOAD|XBIND|XSOCKET)=/;

/* What a program finds of the things that it inherits, one probe for each. */
const PROBES: Record<string, readonly string[]> = {
  environment: ["cat", "/proc/self/environ"],
  "signals, umask, user, capabilities": ["cat", "/proc/self/status"],
  limits: ["cat", "/proc/self/limits"],
  descriptors: ["ls", "-l", "/proc/self/fd"],
  "flags of the streams and descriptors": ["grep", "-r", "flags", "/proc/self/fdinfo"],
  "nice value": ["nice"],
  "OOM score": ["cat", "/proc/self/oom_score_adj"],
  "current directory": ["readlink", "/proc/self/cwd"],
  children: ["wc", "-w", "/proc/thread-self/children"],
  arguments: ["printf", "<%s>", "", "a b", "--", "--help", "caf\u00e9", "\n", "--port"],
};

/* What differs between any two runs of a program. */
function settled(text: string): string {
  return text
    .replaceAll(/\[\d+\]/g, "[n]")
    .replaceAll(
      /^(?:Pid|Tgid|NSpid|Ngid|NStgid|NSpgid|NSsid|Vm\w+|Rss\w+|Hug\w+|Mems\w*|\w*ctxt_switches|Cpus_allowed\w*|HugetlbPages|THP_enabled|Speculation\w*|CoreDumping|untag_mask|x86_Thread\w*):.*$/gm,
      "",
    )
    .replaceAll(/^.* (\d+ -> )/gm, "$1")
    .replaceAll(/\/proc\/\d+\/fd/g, "/proc/N/fd");
}

function environment(text: string): string[] {
  return text
    .split("\0")
    .filter((entry) => !OURS.test(entry))
    .toSorted();
}

describe.each(Object.entries(PROBES))("a program under run finds the same %s", (name, argv) => {
  const same = name === "environment" ? environment : settled;
  const run = [XSOCKET, "run", "--port", "3000", "--socket", "@nobody", "--", ...argv];

  async function compare(start: readonly string[]): Promise<void> {
    const plain = await here.run([...start, ...argv]);
    const under = await here.run([...start, ...run]);
    expect(plain.stdout).not.toBe("");
    expect(same(under.stdout)).toEqual(same(plain.stdout));
    expect(under.stderr).toBe(plain.stderr);
    expect(under.code).toBe(plain.code);
  }

  test("in an ordinary state", () => compare([]));
  test("in an odd one", () => compare(ODD_START));
});
