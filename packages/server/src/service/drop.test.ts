import { describe, expect, test } from "bun:test";
import { here } from "../../../../tests/harness/place.ts";
import { isRoot } from "../../../../tests/harness/user.ts";
import { parseAccounts } from "../policy/accounts.ts";
import { findIdentity } from "./drop.ts";

const ACCOUNTS = parseAccounts(
  "alice:x:1000:100::/:\n7:x:1001:100::/:\neve:x:7:100::/:\nroot:x:0:0::/:\n",
  "users:x:100:\nnet:x:7:bob,alice\n",
);

test("finds a user by name or number, with all groups", () => {
  const alice = { uid: 1000, gid: 100, groups: [100, 7] };
  expect(findIdentity(ACCOUNTS, "alice")).toEqual(alice);
  expect(findIdentity(ACCOUNTS, "1000")).toEqual(alice);
  expect(findIdentity(ACCOUNTS, "7")?.uid).toBe(1001); // a name takes precedence over a number
  for (const none of ["bob", "", "01000", "0x0"])
    expect(findIdentity(ACCOUNTS, none)).toBeUndefined();
});

/** Becomes `nobody` and runs a shell, in a child process because execAs() replaces the process. */
async function shellAsNobody(
  script: string,
  env: Record<string, string> = {},
  ownsFile = true,
): Promise<string> {
  const program = `
    import { openSync } from "node:fs";
    import { loadSyscalls } from "@xsocket/xbind-native";
    import { execAs } from "${import.meta.dir}/drop.ts";
    new Worker(URL.createObjectURL(new Blob(["setInterval(() => {}, 1000)"])));
    const user = { uid: 65534, gid: 65533, groups: [65532, 65531] };
    const listener = openSync("/etc/hostname", "r");
    openSync("/etc/hosts", "r");
    const argv = ["/bin/sh", "-c", process.argv[1] ?? ""];
    execAs(loadSyscalls(), listener, { user, argv, directory: "/usr", files: [] }, ${ownsFile});`;
  const argv = [process.execPath, "-e", program, script];
  const { code, stdout, stderr } = await here.run(argv, { cwd: import.meta.dir, env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

const testAsRoot = test.if(isRoot);

describe("execAs() as root: the new program", () => {
  testAsRoot("has the user's ids, only CAP_CHOWN, and no_new_privs", async () => {
    const status = await shellAsNobody("cat /proc/self/status");
    expect(status).toContain("Uid:\t65534\t65534\t65534\t65534");
    expect(status).toContain("Gid:\t65533\t65533\t65533\t65533");
    expect(status).toMatch(/^Groups:\t65531 65532 $/m);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      expect(status).toContain(`${set}:\t0000000000000001`);
    expect(status).toContain("NoNewPrivs:\t1");
  });

  testAsRoot("has the socket at descriptor 3, the directory at 4, and no others", async () => {
    const found = await shellAsNobody("readlink /proc/$$/fd/3 /proc/$$/fd/4; ls /proc/$$/fd");
    expect(found.split("\n").slice(0, 2)).toEqual(["/etc/hostname", "/usr"]);
    const numbers = found.trim().split("\n").slice(2).map(Number);
    expect(numbers.filter((fd) => fd !== 255)).toEqual([0, 1, 2, 3, 4]);
  });

  testAsRoot("keeps the process id and the environment and gets LISTEN_FDNAMES", async () => {
    const script = 'test "$LISTEN_PID" = $$ && echo "$LISTEN_FDS $LISTEN_FDNAMES $KEPT"';
    expect(await shellAsNobody(script, { KEPT: "ä b" })).toBe("1 xsocket-bound ä b\n");
    expect(await shellAsNobody(script, { KEPT: "" }, false)).toBe("1 xsocket \n");
  });
});
