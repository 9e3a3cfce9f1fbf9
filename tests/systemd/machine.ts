import { readFileSync } from "node:fs";
import { eventually, here, type Result, ROOT, type Running } from "../harness/index.ts";

const BOOT_MS = 90_000; // on a busy machine
const RUN_MS = 60_000;

/** The root made by scripts/systemd-test.sh; undefined in other runs. */
export const MACHINE_ROOT = process.env["XSOCKET_SYSTEMD_ROOT"];

/** Ordinary users of the machine. */
export const ALICE = 1000;
export const BOB = 1001;

/** The files to install in it, below usr/. */
const STAGE = process.env["XSOCKET_SYSTEMD_STAGE"] ?? "";

/* Where the repository is mounted for the clients: services must be able to read it. */
const INSIDE = "/opt/repository";
export const BUN = "/usr/lib/xsocket/bun";

/** The control socket of the units. */
export const DEFAULT = "/run/xsocket/default";
/** Lets alice in. */
export const GATE = "setfacl -n -m u:alice:x,m::x /run/xsocket";

/** The program that {@link Machine.client} runs, and Bun, which runs it. */
export const CLIENT = `${INSIDE}/tests/systemd/client.ts`;

const SET_UP = `set -eu
  tar -c -C /opt/stage --exclude=./usr/lib/xsocket . | tar -x -C /
  mkdir -p /etc/sysusers.d
  printf 'u alice ${ALICE}\\nu bob ${BOB}\\n' >/etc/sysusers.d/people.conf
  systemd-sysusers 2>&1
  systemd-tmpfiles --create xsocket.conf
  ip link set lo up
  systemctl daemon-reload`;

/** A container with a booted systemd and our units. It is powered off at the end of its scope. */
export class Machine implements AsyncDisposable {
  readonly #nspawn: Running;
  readonly #init: number;

  private constructor(nspawn: Running, init: number) {
    this.#nspawn = nspawn;
    this.#init = init;
  }

  /**
   * Boots a machine.
   *
   * @throws {Error} with the output of systemd-nspawn
   */
  static async boot(root: string): Promise<Machine> {
    const nspawn = here.spawn(nspawnArguments(root), {
      env: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" },
    });
    try {
      const init = await initOf(nspawn);
      const machine = new Machine(nspawn, init);
      await eventually("systemd to have booted", () => machine.#isUp(), BOOT_MS);
      await machine.shell(SET_UP);
      return machine;
    } catch (error) {
      await nspawn[Symbol.asyncDispose]();
      throw new Error(`no machine: ${nspawn.stderr.slice(-2000)}`, { cause: error });
    }
  }

  async #isUp(): Promise<boolean> {
    const { stdout } = await this.run(["systemctl", "is-system-running"]);
    return /running|degraded/.test(stdout);
  }

  /** Runs a program in the machine to its end. */
  run(argv: readonly string[]): Promise<Result> {
    return here.run(this.#enter(argv), { withinMs: RUN_MS });
  }

  /** Starts a program in the machine. */
  spawn(argv: readonly string[]): Running {
    return here.spawn(this.#enter(argv));
  }

  #enter(argv: readonly string[]): string[] {
    const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const clean = ["env", "-i", path, "SYSTEMD_PAGER=cat", "SYSTEMD_COLORS=0"];
    return ["nsenter", "-t", String(this.#init), "-a", ...clean, ...argv];
  }

  /**
   * Runs a shell script in the machine.
   *
   * @returns its standard output, trimmed
   * @throws {Error} if it fails
   */
  async shell(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(["sh", "-c", script]);
    if (code === 0) return stdout.trim();
    const log = await this.run(["journalctl", "--no-pager", "-o", "cat", "-n", "20"]);
    throw new Error(`exit ${code}: ${script}\n${stdout}${stderr}\n${log.stdout}`);
  }

  /** Runs client.ts in the machine as a user. */
  client(uid: number, ...args: string[]): Promise<Result> {
    const user = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"];
    return this.run([...user, BUN, CLIENT, ...args]);
  }

  /** One property of a unit. */
  property(unit: string, name: string): Promise<string> {
    return this.shell(`systemctl show --value -p ${name} '${unit}'`);
  }

  /** Waits until a property of a unit matches. */
  async reaches(unit: string, name: string, expected: RegExp): Promise<void> {
    let found = "";
    await eventually(`${unit} to have ${name}=${expected}`, async () => {
      found = await this.property(unit, name);
      return expected.test(found);
    }).catch(async (error: unknown) => {
      throw new Error(`${name} is ${found}: ${await this.journal(unit)}`, { cause: error });
    });
  }

  /** The journal of a unit, one JSON object per line. */
  journal(unit: string): Promise<string> {
    return this.shell(`journalctl --sync; journalctl --no-pager -o json -u '${unit}'`);
  }

  /** Adds lines to a unit's [Service] section. */
  async dropIn(unit: string, lines: string): Promise<void> {
    const directory = `/etc/systemd/system/${unit}.d`;
    await this.shell(
      `mkdir -p '${directory}'; printf '[Service]\\n%s\\n' '${lines}' >>'${directory}/test.conf'; systemctl daemon-reload`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(["systemctl", "poweroff"]).catch(() => undefined);
    const off = await Promise.race([this.#nspawn.exited, Bun.sleep(10_000)]);
    if (off === undefined) process.kill(this.#init, "SIGKILL");
    await this.#nspawn[Symbol.asyncDispose]();
  }
}

function nspawnArguments(root: string): string[] {
  const name = `xsocket-${crypto.randomUUID().slice(0, 8)}`;
  const options =
    "--quiet --boot --volatile=overlay --read-only --register=no --keep-unit --link-journal=no --private-network --capability=CAP_BPF,CAP_NET_ADMIN --system-call-filter=bpf";
  // what it mounts outside of the machine is gone with it, also when it is killed
  const script = 'mount -t tmpfs tmpfs /run && exec systemd-nspawn "$@"';
  const alone = ["unshare", "--mount", "sh", "-c", script, "sh"];
  return [
    ...alone,
    ...options.split(" "),
    `--directory=${root}`,
    `--machine=${name}`,
    `--bind-ro=${ROOT}:${INSIDE}`,
    `--bind-ro=${STAGE}:/opt/stage`,
    `--bind-ro=${STAGE}/usr/lib/xsocket:/usr/lib/xsocket`,
  ];
}

/* systemd-nspawn has other children before the one that becomes systemd. */
function initOf(nspawn: Running): Promise<number> {
  const { pid } = nspawn;
  return eventually("systemd-nspawn to start systemd", () => {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    return children.map(Number).find((child) => commandOf(child) === "systemd");
  });
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

/** Boots a machine for one test. */
export function boot(): Promise<Machine> {
  return Machine.boot(MACHINE_ROOT ?? "");
}

/** The result for a user of the machine who requests a socket, without the namespace's cookie. */
export async function ask(machine: Machine, uid: number, path = DEFAULT, ...more: string[]) {
  const { stdout, stderr } = await machine.client(uid, "take", path, ...more);
  return (stdout.trim().split("\n").at(-1) ?? "") + stderr;
}

/** The answer of a unit at its port, from the machine's own network. */
export async function answerOf(machine: Machine, unit: string, port: number) {
  await machine.reaches(unit, "SubState", /running/);
  return machine.shell(
    `for n in 1 2 3 4 5 6 7 8 9; do ${BUN} -e 'console.log(await (await fetch("http://127.0.0.1:${port}")).text())' 2>/dev/null && exit; sleep 0.2; done; journalctl -u ${unit}`,
  );
}
