/* Our units under a booted systemd. scripts/systemd-test.sh makes the machine's root and runs this. */
import { describe, expect, test as testAnywhere } from "bun:test";
import { seenCommand } from "../harness/index.ts";
import { ALICE, ask, boot, BUN, CLIENT, DEFAULT, GATE, MACHINE_ROOT } from "./machine.ts";

/* Once, or twice: under load systemd 257 may fail to spawn its executor, and tries again. */
const RESTARTED = /^[12]$/;

/* Kills only the main process: `systemctl kill` could also kill its successor. */
const KILL = "kill -KILL $(systemctl show --value -p MainPID xsocket)";

/* Skipped without a machine; ./dev check has a separate step for these tests. */
const test = testAnywhere.skipIf(MACHINE_ROOT === undefined);

describe("under a booted systemd", () => {
  test("the service starts, reports its status, and stops", async () => {
    await using machine = await boot();
    await machine.shell("systemctl start xsocket");
    expect(await machine.property("xsocket", "ActiveState")).toBe("active");
    expect(await machine.property("xsocket", "StatusText")).toStartWith(`Serving ${DEFAULT}: 0`);
    expect(await machine.shell("stat -c '%a %U' /run/xsocket")).toBe("710 xsocket");
    expect(await machine.shell(`stat -c '%a %U' ${DEFAULT}`)).toBe("666 xsocket");
    expect(await ask(machine, 0)).toBe("ok");
    expect(await machine.shell("xsocket status --json | grep -c granted")).toBe("1");
    await machine.shell("systemctl stop xsocket");
    expect(await machine.property("xsocket", "Result")).toBe("success");
    expect(await machine.shell("ls /run/xsocket")).toBe("");
  });

  test("the watchdog restarts a server that hangs", async () => {
    await using machine = await boot();
    await machine.dropIn("xsocket.service", "WatchdogSec=2s");
    await machine.shell("systemctl start xsocket");
    await Bun.sleep(3000); // longer than the watchdog's limit, which a live server meets
    expect(await machine.property("xsocket", "NRestarts")).toBe("0");
    await machine.shell("kill -STOP $(systemctl show --value -p MainPID xsocket)");
    await machine.reaches("xsocket", "NRestarts", RESTARTED);
    await machine.reaches("xsocket", "ActiveState", /^active$/);
    expect(await machine.journal("xsocket")).toContain("watchdog");
    expect(await ask(machine, 0)).toBe("ok");
  });

  test("activation: the first client starts the server, and kill -9 loses no socket or client", async () => {
    await using machine = await boot();
    await machine.shell("systemctl start xsocket.socket");
    expect(await machine.property("xsocket", "ActiveState")).toBe("inactive");
    const file = await machine.shell(`stat -c '%i %a' ${DEFAULT}`);
    expect(await ask(machine, 0)).toBe("ok");
    await machine.reaches("xsocket", "ActiveState", /^active$/);
    await machine.shell(KILL);
    expect(await ask(machine, 0)).toBe("ok");
    await machine.reaches("xsocket", "NRestarts", RESTARTED);
    await machine.shell("systemctl stop xsocket");
    expect(await machine.shell(`stat -c '%i %a' ${DEFAULT}`)).toBe(file);
    expect(await ask(machine, 0)).toBe("ok");
  });

  test("activation: restarting the socket unit makes a removed socket again while the server runs", async () => {
    await using machine = await boot();
    await machine.shell("ip netns add vpn");
    for (const [unit, address] of [
      ["xsocket", DEFAULT],
      ["xsocket@vpn", "/run/xsocket-vpn/default"],
    ] as const) {
      await machine.shell(`systemctl start ${unit}.socket ${unit}; rm ${address}`);
      await machine.shell(`systemctl restart ${unit}.socket`);
      expect(await ask(machine, 0, address)).toBe("ok");
    }
  });

  test("activation: restarting the socket unit takes over from the service, and stopping it stops both", async () => {
    await using machine = await boot();
    await machine.shell("systemctl start xsocket");
    await machine.shell("! systemctl start xsocket.socket && systemctl restart xsocket.socket");
    expect(await ask(machine, 0)).toBe("ok");
    await machine.shell(KILL); // the socket now belongs to the unit
    expect(await ask(machine, 0)).toBe("ok");
    await machine.shell("systemctl stop xsocket.socket");
    expect(await machine.property("xsocket", "ActiveState")).toBe("inactive");
    expect(await machine.shell("ls /run/xsocket")).toBe("");
  });

  test("without activation a killed server is restarted on the same path", async () => {
    await using machine = await boot();
    await machine.shell(`systemctl start xsocket; ${KILL}`);
    await machine.reaches("xsocket", "NRestarts", RESTARTED);
    await machine.reaches("xsocket", "ActiveState", /^active$/);
    expect(await ask(machine, 0)).toBe("ok");
  });

  test("a reload applies the new policy and keeps the old one if the new is invalid", async () => {
    await using machine = await boot();
    const rule = (action: string) =>
      machine.shell(
        `mkdir -p /etc/xsocket; printf '[[rule]]\\naction = "${action}"\\n' >/etc/xsocket/policy.toml`,
      );
    await rule("allow");
    const start = "/usr/bin/xsocket serve --mode 0666 --policy /etc/xsocket/policy.toml";
    await machine.dropIn("xsocket.service", `ExecStart=\nExecStart=${start}`);
    await machine.shell("systemctl start xsocket");
    expect(await ask(machine, 0)).toBe("ok");
    await rule("deny");
    await machine.shell("systemctl reload xsocket");
    expect(await ask(machine, 0)).toBe("EPERM");
    await rule("perhaps");
    await machine.shell("systemctl reload xsocket");
    expect(await ask(machine, 0)).toBe("EPERM");
    expect(await machine.property("xsocket", "StatusText")).toEndWith(
      "; the policy could not be read again",
    );
    const lines = (await machine.journal("xsocket")).split("\n");
    const refusal = lines.find((line) => line.includes("refused AF_INET"));
    expect(refusal).toContain('"PRIORITY":"4"');
    expect(refusal).toContain(`uid=0 gid=0 command=${seenCommand("bun")}`);
    const kept = lines.find((line) => line.includes("the policy stays as it was"));
    expect(kept).toContain('"PRIORITY":"3"');
    expect(kept).toContain("rule 1: action must be");
  });

  test("the journal has the priority of JSON lines, of a failed start, and of what run says", async () => {
    await using machine = await boot();
    const policy = "/etc/policy.toml";
    const start = `/usr/bin/xsocket serve --mode 0666 --log-format json --policy ${policy}`;
    await machine.dropIn("xsocket.service", `Restart=no\nExecStart=\nExecStart=${start}`);
    const logged = (level: string) =>
      machine.shell(`journalctl --sync; journalctl -q -o cat -u xsocket -t xsocket -p ${level}`);
    await machine.shell("! systemctl start xsocket");
    expect(await logged("err")).toStartWith(`xsocket: ${policy}: cannot be read`);
    await machine.shell(`touch ${policy}; systemctl start xsocket`);
    expect(await ask(machine, 0)).toBe("EPERM");
    const lines = (await logged("warning")).split("\n");
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ event: "denied", level: "warning" });
    const run = "xsocket run --socket /nowhere/s --port 1 --";
    await machine.shell(`systemd-run -q --wait -u program ${run} true`);
    const warned = "journalctl --sync; journalctl -q -o cat -u program -t xsocket -p warning";
    expect(await machine.shell(warned)).toStartWith("xsocket: warning: ");
  });

  test("serves each named namespace, started or by activation", async () => {
    await using machine = await boot();
    await machine.shell("ip netns add blue; ip netns add green");
    await machine.shell("systemctl start xsocket@blue.service xsocket@green.socket");
    const own = (await machine.client(0, "own", "-")).stdout.trim();
    const cookies = [own];
    for (const name of ["blue", "green"]) {
      const { stdout } = await machine.client(0, "take", `/run/xsocket-${name}/default`);
      const [cookie = "", bound] = stdout.trim().split("\n");
      const inside = await machine.shell(`ip netns exec ${name} ${BUN} ${CLIENT} own -`);
      expect([cookie, bound]).toEqual([inside, "ok"]);
      cookies.push(cookie);
    }
    expect(new Set(cookies).size).toBe(3);
    const status = "xsocket status /run/xsocket-blue/default";
    await machine.shell(`! ${status} | grep warning; ip netns del blue; ip netns add blue`);
    expect(await machine.shell(status)).toMatch(/^warning .* is not the one named blue any more/m);
  });

  test("a server that cannot start is retried, and serves waiting clients once it can", async () => {
    await using machine = await boot();
    await machine.shell("systemctl start xsocket@blue.socket; ! systemctl start xsocket@blue");
    await Bun.sleep(3000); // time for more than the five starts that systemd allows by default
    await machine.reaches("xsocket@blue", "ExecMainStatus", /^225$/); // NETWORK, as docs/systemd.md says
    const asked = ask(machine, 0, "/run/xsocket-blue/default");
    await machine.shell("ip netns add blue");
    expect(await asked).toBe("ok");
    await machine.shell("for n in 1 2 3 4 5 6 7; do systemctl restart xsocket@blue; done");
    expect(await ask(machine, 0, "/run/xsocket-blue/default")).toBe("ok");
    const endless = { StartLimitIntervalUSec: "0", RestartSteps: "5", RestartMaxDelayUSec: "3s" };
    for (const unit of ["xsocket", "xsocket@blue", "xsocket-restricted@blue"])
      for (const [name, value] of Object.entries(endless))
        expect(await machine.property(unit, name)).toBe(value); // 3 s, since a client waits 5 s
  });

  test("only the restricted template refuses ports and networks", async () => {
    await using machine = await boot();
    await machine.shell(
      "for each in 10.1.2.3 198.51.100.7 169.254.169.254; do ip address add $each dev lo; done",
    );
    await machine.shell("systemctl start xsocket xsocket-restricted@web");
    const path = "/run/xsocket-restricted-web/default";
    const bind = (...more: string[]) => ask(machine, 0, path, ...more);
    expect(await bind("tcp", "8080")).toBe("ok");
    expect(await bind("tcp", "8081")).toBe("EPERM");
    expect(await bind("udp", "8080")).toBe("EPERM");
    const send = async (from: string, host: string) =>
      (await machine.client(0, "send", from, host)).stdout.trim();
    expect(await send(path, "10.1.2.3")).toBe("ok");
    expect(await send(path, "198.51.100.7")).toBe("EPERM");
    expect(await send(path, "169.254.169.254")).toBe("EPERM"); // a cloud's metadata service
    // also for sockets handed out before, unlike SocketBindDeny=: docs/security.md
    for (const command of ["restart xsocket-restricted@web", "daemon-reload", "daemon-reexec"]) {
      const late = await machine.client(0, "send", path, "198.51.100.7", `systemctl ${command}`);
      expect([command, late.stdout.trim()]).toEqual([command, "EPERM"]);
    }
    await machine.shell("systemctl restart xsocket-restricted@web");
    const { stdout } = await machine.client(0, "listen", path, "8081");
    expect(stdout).toContain("the server's unit denies the port (EPERM)");
    expect(await ask(machine, 0, DEFAULT, "tcp", "8081")).toBe("ok");
    expect(await send(DEFAULT, "198.51.100.7")).toBe("ok");
  });

  test("ten seconds of load under the filter kill nothing and stamp every socket", async () => {
    await using machine = await boot();
    await machine.shell("systemctl start xsocket");
    await machine.shell(GATE);
    const killed = "2147483646"; // systemd's number for ending the process
    expect(await machine.property("xsocket", "SystemCallErrorNumber")).toBe(killed);
    const loads = [ALICE, ALICE].map((uid) => machine.client(uid, "load", DEFAULT, "10"));
    for (const { stdout } of await Promise.all(loads)) {
      expect(stdout).toMatch(/^\d{4,} sockets, 0 of them not ours/);
      console.error(`  load under the filter: ${stdout.trim()}`);
    }
    expect(await machine.property("xsocket", "NRestarts")).toBe("0");
    expect(await machine.property("xsocket", "ActiveState")).toBe("active");
    expect(await machine.shell("systemctl show --value -p SystemCallFilter xsocket")).toContain(
      "fchown",
    );
  });
});
