import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  here,
  isContained,
  OWN_MOUNTS,
  ROOT,
  systemdVersion,
  tempDir,
  textOf,
  verifyUnit,
} from "../harness/index.ts";

const BUILT = "build/release/packaging/systemd";
const SOURCES = join(ROOT, "packaging/systemd");
const SERVICES = ["xsocket.service", "xsocket@.service", "xsocket-restricted@.service"];
const UNITS = [...SERVICES, "xsocket.socket", "xsocket@.socket"];
const VERSION = systemdVersion(); // Debian 12 has 252, for which docs/systemd.md has a drop-in

/* systemd-analyze needs the program to exist and a template to have a name. */
function prepare(directory: string, unit: string): string {
  const path = join(directory, unit.replace("@.", "@name."));
  const text = textOf(`${BUILT}/${unit}`);
  writeFileSync(path, text.replaceAll(/^ExecStart=\S+/gm, "ExecStart=/bin/true"));
  return path;
}

describe.each(UNITS)("%s", (unit) => {
  test.skipIf(VERSION < 254)("has only keys and values that systemd knows", async () => {
    using dir = tempDir();
    for (const each of UNITS) prepare(dir.path, each);
    expect(await verifyUnit(prepare(dir.path, unit))).toEqual({ said: "", code: 0 });
  });
});

/* What systemd-analyze misses in our services. */
const LEFT_OUT = [
  "MemoryDenyWriteExecute=", // would break Bun
  "PrivateNetwork=", // these three would hide clients, or the network
  "PrivateUsers=",
  "ProtectProc=",
  "IPAddressDeny=", // would hold for every socket that is handed out
  "AmbientCapabilities=", // the server needs these five
  "CapabilityBoundingSet=~CAP_(CHOWN|FSETID|SETFCAP)",
  "RestrictAddressFamilies=~AF_(INET|INET6)",
  "RestrictAddressFamilies=~AF_UNIX",
  "SystemCallFilter=~@privileged",
  "DeviceAllow=", // the clock, to be read: so ProtectClock= has it
  "RootDirectory=/RootImage=",
];

describe.each(SERVICES)("%s", (unit) => {
  test("has an exposure level of at most 2.0", async () => {
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

  /* Others look at more or less. */
  test.skipIf(VERSION !== 257)("protects the machine by every option that it can", async () => {
    using dir = tempDir();
    const options = ["--offline=yes", "--json=short", "--no-pager", prepare(dir.path, unit)];
    const { stdout } = await here.run(["systemd-analyze", "security", ...options]);
    const rows: { name: string; set: boolean | null }[] = JSON.parse(stdout);
    const missed = rows.filter(({ set }) => set === false).map(({ name }) => name);
    expect(missed.toSorted()).toEqual(LEFT_OUT.toSorted());
  });

  test("limits handed-out sockets only in the restricted template", () => {
    const text = textOf(`${BUILT}/${unit}`);
    const keys = /^(IPAddress|SocketBind|RestrictNetworkInterfaces|Memory)\w*=/m;
    expect(keys.test(text)).toBe(unit === "xsocket-restricted@.service");
  });

  /* Systemd before 253 does not know the second value and keeps the first. CI has no such systemd. */
  test("sets Type=notify for an older systemd before notify-reload", () => {
    const text = textOf(`${BUILT}/${unit}`);
    expect(text.match(/^Type=.*$/gm)).toEqual(["Type=notify", "Type=notify-reload"]);
  });

  test("lets the directory's permissions control access", () => {
    const text = textOf(`${BUILT}/${unit}`);
    expect(text).toMatch(/^RuntimeDirectoryMode=0710$/m);
    expect(text).toMatch(/^RuntimeDirectoryPreserve=yes$/m);
    expect(text).toMatch(/^ExecStart=\S+ serve --mode 0666 %t\//m);
  });
});

/* A systemd built without BPF_FRAMEWORK accepts SocketBindDeny= without effect. */
test.each([
  ["+", 0],
  ["-", 1],
])(
  "the restricted template starts only with BPF_FRAMEWORK: %sBPF_FRAMEWORK",
  async (sign, expected) => {
    using dir = tempDir();
    writeFileSync(dir.join("systemctl"), `#!/bin/sh\necho '+PAM ${sign}BPF_FRAMEWORK +UTMP'\n`);
    chmodSync(dir.join("systemctl"), 0o755);
    const text = textOf(`${BUILT}/xsocket-restricted@.service`);
    const script = /^ExecCondition=\+\/bin\/sh -c '(.*)'$/m.exec(text)?.[1] ?? "";
    const env = { PATH: `${dir.path}:${process.env["PATH"]}` };
    const { code, stderr } = await here.run(["sh", "-c", script], { env });
    expect(script).not.toMatch(/[%$\\]/); // special to systemd
    expect([code, stderr !== ""]).toEqual([expected, expected !== 0]);
  },
);

/** Runs a tool of systemd on one of our files with an empty root. */
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

test("sysusers creates the user", async () => {
  expect(await dryRun("systemd-sysusers", "xsocket.sysusers")).toMatch(/user.*xsocket/i);
});

test.skipIf(VERSION < 256)("tmpfiles creates the directory before any server runs", async () => {
  const said = await dryRun("systemd-tmpfiles", "xsocket.tmpfiles", "--create");
  expect(said).toMatch(/create.*\/run\/xsocket/i);
  expect(said).not.toMatch(/unknown|invalid|ignoring/i);
});

/* Runs the package's prerm script as on a machine with systemd, and prints its calls of systemctl. */
const REMOVED = `mount -t tmpfs own /run && mount -t tmpfs own /usr/local && mkdir -p /run/systemd/system || exit
  printf '#!/bin/sh\\necho "$*"\\n' >/usr/local/systemctl && chmod +x /usr/local/systemctl && ln -s /bin/true /usr/local/rm && ln -s rm /usr/local/rmdir
  [ -z "$2" ] || { mkdir -p "$2" && : >"$2/xsocket.service"; }
  PATH=/usr/local:$PATH sh "$1" remove`;

test.skipIf(isContained)(
  "removing the package stops its units but not those of ./dev install",
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
