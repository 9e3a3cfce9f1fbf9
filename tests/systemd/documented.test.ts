/* What docs/ adds to our units, under a booted systemd: ACLs, drop-ins and other lines. */
import { describe, expect, test as testAnywhere } from "bun:test";
import { seenCommand, textOf } from "../harness/index.ts";
import { ALICE, answerOf, ask, BOB, boot, BUN, CLIENT, GATE, MACHINE_ROOT } from "./machine.ts";

/* Skipped without a machine; ./dev check has a separate step for these tests. */
const test = testAnywhere.skipIf(MACHINE_ROOT === undefined);

describe("under a booted systemd", () => {
  test("an ACL on the directory lets one user in, also after restarts", async () => {
    await using machine = await boot();
    await machine.shell("systemctl start xsocket");
    expect([await ask(machine, ALICE), await ask(machine, BOB)]).toEqual(["EACCES", "EACCES"]);
    await machine.shell(GATE);
    const asked = async () => [await ask(machine, ALICE), await ask(machine, BOB)];
    expect(await asked()).toEqual(["ok", "EACCES"]);
    await machine.shell("systemctl restart xsocket");
    expect(await asked()).toEqual(["ok", "EACCES"]);
    await machine.shell("systemctl stop xsocket && systemctl start xsocket");
    expect(await asked()).toEqual(["ok", "EACCES"]);
    await machine.shell("systemd-tmpfiles --create xsocket.conf");
    expect(await asked()).toEqual(["ok", "EACCES"]);
  });

  test("the ACL persists while the server starts and after a failed start", async () => {
    await using machine = await boot();
    await machine.shell(`${GATE}; systemctl start xsocket.socket`);
    await machine.dropIn("xsocket.service", "Restart=no\nExecStartPre=sleep 1");
    await machine.shell("systemctl start --no-block xsocket; sleep 0.5");
    expect([await ask(machine, ALICE), await ask(machine, BOB)]).toEqual(["ok", "EACCES"]);
    await machine.dropIn("xsocket.service", "ExecStartPre=false");
    await machine.shell("! systemctl restart xsocket; rm -r /etc/systemd/system/xsocket.service.d");
    await machine.shell("systemctl daemon-reload; systemctl restart xsocket.socket");
    expect([await ask(machine, ALICE), await ask(machine, BOB)]).toEqual(["ok", "EACCES"]);
  });

  test("activation: an ACL set before the first start of the server persists", async () => {
    await using machine = await boot();
    await machine.shell(`ip netns add vpn; rm -r /run/xsocket
      mkdir /etc/systemd/system/xsocket@.socket.d
      printf '[Socket]\\nDirectoryMode=0711\\n' >/etc/systemd/system/xsocket@.socket.d/mode.conf
      systemctl daemon-reload`);
    for (const [unit, directory, mode] of [
      ["xsocket", "/run/xsocket", 710],
      ["xsocket@vpn", "/run/xsocket-vpn", 711],
    ] as const) {
      await machine.shell(`systemctl start ${unit}.socket`);
      expect(await machine.shell(`stat -c '%a %U' ${directory}`)).toBe(`${mode} xsocket`);
      await machine.shell(GATE.replace("/run/xsocket", directory));
      expect(await ask(machine, ALICE, `${directory}/default`)).toBe("ok"); // starts it
      expect(await ask(machine, ALICE, `${directory}/default`)).toBe("ok");
      expect(await ask(machine, BOB, `${directory}/default`)).toBe("EACCES");
    }
  });

  test("activation: the server warns of a --mode that is not the socket unit's, and not of ours", async () => {
    await using machine = await boot();
    const start = "/usr/bin/xsocket serve --mode 0660";
    await machine.shell("systemctl start xsocket.socket xsocket.service");
    expect(await machine.journal("xsocket")).not.toContain("no effect");
    await machine.dropIn("xsocket.service", `ExecStart=\nExecStart=${start}`);
    await machine.shell("systemctl restart xsocket");
    expect(await machine.journal("xsocket")).toContain("--mode 0660 has no effect");
  });

  test("the original project's drop-in works unchanged, also after a restart", async () => {
    await using machine = await boot();
    await machine.shell(`cat >/etc/systemd/system/program.service <<'X'
[Service]
Type=exec
User=alice
PrivateNetwork=yes
ExecStart=${BUN} -e 'Bun.serve({ port: 1234, fetch: () => new Response("through") })'
X
mkdir /etc/systemd/system/program.service.d
cat >/etc/systemd/system/program.service.d/xbind.conf <<'X'
[Unit]
Wants=xsocket.service
After=xsocket.service

[Service]
ExecStartPre=+/usr/bin/setfacl -n -m u:alice:rwx,m::rwx %t/xsocket
Environment=LD_PRELOAD=libxbind.so
Environment=XBIND=1234
X
systemctl daemon-reload
systemctl start program`);
    expect(await answerOf(machine, "program", 1234)).toBe("through");
    expect([await ask(machine, ALICE), await ask(machine, BOB)]).toEqual(["ok", "EACCES"]);
    await machine.shell("systemctl restart xsocket");
    expect([await ask(machine, ALICE), await ask(machine, BOB)]).toEqual(["ok", "EACCES"]);
    await machine.shell("systemctl restart program");
    expect(await answerOf(machine, "program", 1234)).toBe("through");
  });

  test("a service in a read-only image opens its port with the drop-ins of docs/systemd.md", async () => {
    await using machine = await boot();
    const document = textOf("docs/systemd.md");
    const drop = /```\n(\[Unit\]\n[^`]*XBIND=1234\n)```/.exec(document)?.[1] ?? "";
    const rooted = /```\n(\[Service\]\nRoot[^`]*)```/.exec(document)?.[1] ?? "";
    // in the bind mount /usr/lib/xsocket is empty, since its own mount is not included
    await machine.shell(`mkdir /opt/image; mount --bind / /opt/image; mount -o remount,bind,ro /opt/image
      cd /etc/systemd/system; mkdir program.service.d
      printf '%s' '${drop.replaceAll("NAME", "alice")}${rooted}' >program.service.d/xbind.conf
      cat >program.service <<'X'
[Service]
User=alice
PrivateNetwork=yes
RootDirectory=/opt/image
BindReadOnlyPaths=${BUN}:/run/bun
ExecStart=/run/bun -e 'Bun.serve({ port: 1234, fetch: () => new Response("through") })'
X
      systemctl daemon-reload; systemctl start program`);
    expect(await answerOf(machine, "program", 1234)).toBe("through");
  });

  test("the VPN tutorial's drop-in opens the port outside or fails, and hides the outside resolver", async () => {
    await using machine = await boot();
    const document = textOf("docs/tutorial-vpn.md");
    const lines = /xbind\.conf`:\n\n([^`]*)\nThen/.exec(document)?.[1] ?? "";
    const resolver = "/run/systemd/resolve/io.systemd.Resolve";
    await machine.shell(`cd /etc/systemd/system; mkdir program.service.d
      printf '%s' '${lines.replaceAll(":qbittorrent:", ":alice:")}' >program.service.d/xbind.conf
      cat >program.service <<'X'
[Service]
User=alice
ExecStart=${BUN} -e 'Bun.serve({ port: 8080, fetch: () => new Response(String(fs.existsSync("${resolver}"))) })'
X
      printf '%s\\n' '[Service]' Type=oneshot RemainAfterExit=yes 'ExecStart=ip netns add vpn' \
        'ExecStart=ip -n vpn link set lo up' 'ExecStop=ip netns del vpn' >vpn-namespace.service
      mkdir -p /etc/netns/vpn $(dirname ${resolver}); touch /etc/netns/vpn/resolv.conf ${resolver}
      systemctl daemon-reload; systemctl start program`);
    expect(await answerOf(machine, "program", 8080)).toBe("false");
    await machine.shell(`rm ${resolver}; touch ${resolver}`); // as the resolver does at its restart
    expect(await answerOf(machine, "program", 8080)).toBe("false");

    await machine.shell(`sed -i s/libxbind.so/libmissing.so/ /etc/systemd/system/program.service.d/xbind.conf
      systemctl daemon-reload; systemctl restart program`);
    await machine.reaches("program", "ActiveState", /^failed$/);
    expect(await machine.journal("program")).toContain("EPERM");
  });

  test("the unit without root of docs/systemd.md can be reloaded", async () => {
    await using machine = await boot();
    const document = textOf("docs/systemd.md");
    const unit =
      /```\n(\[Service\]\n[^`]* %t\/xsocket\/default\n[^`]*)```/.exec(document)?.[1] ?? "";
    await machine.shell(`printf '%s' '${unit}' >/etc/systemd/system/mine.service
      systemctl daemon-reload; systemctl start mine; systemctl reload mine`);
    expect(await machine.journal("mine")).toContain("reloaded: ");
    expect(await machine.property("mine", "NRestarts")).toBe("0");
  });

  test("audit file and metrics work with the lines of docs/systemd.md under the filter", async () => {
    await using machine = await boot();
    const start = "/usr/bin/xsocket serve --mode 0666 --audit /var/log/xsocket/audit";
    const metrics = "--metrics /run/xsocket/metrics";
    await machine.dropIn(
      "xsocket.service",
      `LogsDirectory=xsocket\nExecStart=\nExecStart=${start} ${metrics}`,
    );
    await machine.shell("systemctl start xsocket");
    expect(await ask(machine, 0)).toBe("ok");
    const line: unknown = JSON.parse(await machine.shell("cat /var/log/xsocket/audit"));
    expect(line).toMatchObject({ outcome: "granted", uid: 0, command: seenCommand("bun") });
    const fetched = await machine.shell(
      `${BUN} -e 'console.log(await (await fetch("http://x/metrics", { unix: "/run/xsocket/metrics" })).text())'`,
    );
    expect(fetched).toContain('xsocket_requests_total{outcome="granted"} 1');
    expect(await machine.property("xsocket", "NRestarts")).toBe("0");
  });

  test("a server follows the unit of its namespace with the lines of docs/systemd.md", async () => {
    await using machine = await boot();
    const document = textOf("docs/systemd.md");
    const lines = /```\n(\[Unit\]\n[^`]*=vpn-namespace[^`]*)```/.exec(document)?.[1] ?? "";
    const path = "/run/xsocket-vpn/default";
    await machine.shell(`cd /etc/systemd/system; mkdir xsocket@vpn.service.d
      printf '%s' '${lines}' >xsocket@vpn.service.d/follow.conf
      printf '%s\\n' '[Unit]' StartLimitIntervalSec=0 '[Service]' Type=oneshot RemainAfterExit=yes \
        'ExecStart=test -e /run/may' 'ExecStart=ip netns add vpn' 'ExecStop=ip netns del vpn' \
        >vpn-namespace.service
      systemctl daemon-reload; systemctl start xsocket@vpn.socket`);
    const asked = ask(machine, 0, path); // the unit fails at first
    await machine.shell("sleep 1; touch /run/may");
    expect(await asked).toBe("ok");
    const cookies: string[] = [];
    for (const how of ["restart", "stop"]) {
      await machine.shell(`systemctl ${how} vpn-namespace`);
      const { stdout } = await machine.client(0, "take", path);
      const inside = await machine.shell(`ip netns exec vpn ${BUN} ${CLIENT} own -`);
      expect(stdout.trim()).toBe(`${inside}\nok`);
      cookies.push(inside);
    }
    expect(new Set(cookies).size).toBe(2);
  });
});
