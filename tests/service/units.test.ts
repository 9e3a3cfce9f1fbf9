import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  guardDescriptors,
  here,
  isContained,
  OWN_MOUNTS,
  systemdVersion,
  tempDir,
  verifyUnit,
} from "../harness/index.ts";

guardDescriptors();

const ROOT = join(import.meta.dir, "../..");
const BUILT = join(ROOT, "build/release/packaging/systemd");
const SOURCES = join(ROOT, "packaging/systemd");
const SERVICES = ["xsocket.service", "xsocket@.service", "xsocket-restricted@.service"];
const UNITS = [...SERVICES, "xsocket.socket", "xsocket@.socket"];
const VERSION = systemdVersion(); // Debian 12 has 252, for which docs/systemd.md has a drop-in

/* systemd-analyze wants the program to be there and a template to have a name. */
function prepare(directory: string, unit: string): string {
  const path = join(directory, unit.replace("@.", "@name."));
  const text = readFileSync(join(BUILT, unit), "utf8");
  writeFileSync(path, text.replaceAll(/^ExecStart=\S+/gm, "ExecStart=/bin/true"));
  return path;
}

describe.each(UNITS)("%s", (unit) => {
  test.skipIf(VERSION < 254)("has no key or value that systemd does not know", async () => {
    using dir = tempDir();
    for (const each of UNITS) prepare(dir.path, each);
    expect(await verifyUnit(prepare(dir.path, unit))).toEqual({ said: "", code: 0 });
  });
});

describe.each(SERVICES)("%s", (unit) => {
  test("is exposed no more than 2.0", async () => {
    using dir = tempDir();
    const options = ["--offline=yes", "--threshold=20", "--no-pager"];
    const { code, stdout } = await here.run([
      "systemd-analyze",
      "security",
      ...options,
      prepare(dir.path, unit),
    ]);
    expect(stdout).toMatch(/Overall exposure level for \S+: [01]\.\d/);
    expect(code).toBe(0);
  });

  test("sets nothing that hides peers or ends Bun", () => {
    const text = readFileSync(join(BUILT, unit), "utf8");
    for (const key of ["PrivateUsers", "PrivateNetwork", "MemoryDenyWriteExecute", "ProtectProc"])
      expect(text).not.toMatch(new RegExp(`^${key}=`, "m"));
  });

  test("sets what holds for sockets handed out only where that is its purpose", () => {
    const text = readFileSync(join(BUILT, unit), "utf8");
    const keys = /^(IPAddress|SocketBind|RestrictNetworkInterfaces|Memory)\w*=/m;
    expect(keys.test(text)).toBe(unit === "xsocket-restricted@.service");
  });

  /* The first is for systemd before 253, which CI has none of, and keeps it where the second is unknown. */
  test("tells an older systemd as well when it is ready", () => {
    const text = readFileSync(join(BUILT, unit), "utf8");
    expect(text.match(/^Type=.*$/gm)).toEqual(["Type=notify", "Type=notify-reload"]);
  });

  test("keeps the directory as its gate", () => {
    const text = readFileSync(join(BUILT, unit), "utf8");
    expect(text).toMatch(/^RuntimeDirectoryMode=0710$/m);
    expect(text).toMatch(/^RuntimeDirectoryPreserve=yes$/m);
    expect(text).toMatch(/^ExecStart=\S+ serve --mode 0666 %t\//m);
  });
});

/* A systemd that was built without it accepts SocketBindDeny= and refuses nothing. */
test.each([
  ["+", 0],
  ["-", 1],
])("the restricted template under a systemd with %sBPF_FRAMEWORK", async (sign, expected) => {
  using dir = tempDir();
  writeFileSync(dir.join("systemctl"), `#!/bin/sh\necho '+PAM ${sign}BPF_FRAMEWORK +UTMP'\n`);
  chmodSync(dir.join("systemctl"), 0o755);
  const text = readFileSync(join(BUILT, "xsocket-restricted@.service"), "utf8");
  const script = /^ExecCondition=\+\/bin\/sh -c '(.*)'$/m.exec(text)?.[1] ?? "";
  const env = { PATH: `${dir.path}:${process.env["PATH"]}` };
  const { code, stderr } = await here.run(["sh", "-c", script], { env });
  expect(script).not.toMatch(/[%$\\]/); // which are systemd's
  expect([code, stderr !== ""]).toEqual([expected, expected !== 0]);
});

/** Runs one of systemd's tools on one of our files below a root that is empty. */
async function dryRun(tool: string, file: string, ...options: string[]): Promise<string> {
  using dir = tempDir();
  mkdirSync(dir.join("etc"));
  if (tool === "systemd-tmpfiles") {
    writeFileSync(dir.join("etc/passwd"), "xsocket:x:990:990::/:/bin/false\n");
    writeFileSync(dir.join("etc/group"), "xsocket:x:990:\n");
  }
  const path = dir.join("xsocket.conf");
  copyFileSync(join(SOURCES, file), path);
  const argv = [tool, "--dry-run", ...options, `--root=${dir.path}`, path];
  const { code, stdout, stderr } = await here.run(argv);
  expect(code, stderr).toBe(0);
  return stdout + stderr;
}

test("sysusers: the user is made", async () => {
  expect(await dryRun("systemd-sysusers", "xsocket.sysusers")).toMatch(/user.*xsocket/i);
});

test.skipIf(VERSION < 256)("tmpfiles: the gate is made before any server is there", async () => {
  const said = await dryRun("systemd-tmpfiles", "xsocket.tmpfiles", "--create");
  expect(said).toMatch(/create.*\/run\/xsocket/i);
  expect(said).not.toMatch(/unknown|invalid|ignoring/i);
});

/* A machine where systemd runs, and what its package asks of it when it is removed. */
const REMOVED = `mount -t tmpfs own /run && mount -t tmpfs own /usr/local && mkdir -p /run/systemd/system || exit
  printf '#!/bin/sh\\necho "$*"\\n' >/usr/local/systemctl && chmod +x /usr/local/systemctl && ln -s /bin/true /usr/local/rm
  [ -z "$2" ] || { mkdir -p "$2" && : >"$2/xsocket.service"; }
  PATH=/usr/local:$PATH sh "$1" remove`;

test.skipIf(isContained)(
  "to remove the package stops its servers, and none of ./dev install",
  async () => {
    const prerm = join(ROOT, "packaging/debian/prerm");
    const asked = async (units: string) => {
      const { code, stdout, stderr } = await here.run([
        ...OWN_MOUNTS,
        "sh",
        "-c",
        REMOVED,
        "sh",
        prerm,
        units,
      ]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return stdout;
    };
    expect(await asked("")).toMatch(/^stop xsocket.socket xsocket.service /);
    expect(await asked("/usr/local/lib/systemd/system")).toBe("");
  },
);
