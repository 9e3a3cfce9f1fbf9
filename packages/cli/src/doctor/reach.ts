import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { shellWord } from "@xsocket/protocol";
import { listenerOf } from "@xsocket/server";
import { codeOf, errno, loadSyscalls, tried, XATTR_ACL } from "@xsocket/xbind-native";
import { failedAt } from "../endpoint.ts";
import { rowOfError } from "./handover.ts";
import { failed, ok, type Row, skipped } from "./row.ts";

const CONNECT_MS = 2000;

function startAt(path: string): string {
  return `start it in the target namespace: xsocket serve ${shellWord(path)}`;
}

/* As ls(1) has it: "/run/xsocket (drwxr-x---, uid 0, gid 44)". */
function describe(path: string, stats: Stats): string {
  const bits = ["---", "--x", "-w-", "-wx", "r--", "r-x", "rw-", "rwx"];
  const mode = [6, 3, 0].map((shift) => bits[(stats.mode >> shift) & 7]).join("");
  const acl =
    loadSyscalls().xattr(path, XATTR_ACL, null, 0) > 0 ? " with an ACL (getfacl shows it)" : "";
  const kind = stats.isDirectory() ? "d" : stats.isSymbolicLink() ? "l" : "s";
  return `${path} (${kind}${mode}, uid ${stats.uid}, gid ${stats.gid}${acl})`;
}

/* From the root down to the directory of a path. */
function directoriesOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...directoriesOf(parent), parent];
}

function mayUse(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch (error) {
    return codeOf(error) !== "EACCES";
  }
}

function isLink(path: string): boolean {
  return tried(() => lstatSync(path).isSymbolicLink()) ?? false;
}

interface Step {
  readonly path: string;
  readonly mode: number;
}

/* The target of a link; the link itself if this user may not read it, such as one in /proc of another user's process. */
function targetOf(link: string): string {
  return tried(() => resolve(realpathSync(dirname(link)), readlinkSync(link))) ?? link;
}

/* The first step on the way to a path, or at its end, that this user may not use; links are followed. */
function barrierTo(path: string, mode: number): Step | undefined {
  const directories = directoriesOf(path).map((step) => ({ path: step, mode: constants.X_OK }));
  const found = [...directories, { path, mode }].find((step) => !mayUse(step.path, step.mode));
  if (found === undefined || !isLink(found.path)) return found;
  const target = targetOf(found.path);
  return (target === found.path ? undefined : barrierTo(target, found.mode)) ?? found;
}

/* How many more than here this user's number is outside the user namespace, where setfacl is run. */
function shiftOf(uid: number): number {
  const map = "/proc/self/uid_map"; // lines of the first number here, the first one outside, and how many
  const lines = existsSync(map) ? readFileSync(map, "utf8").trimEnd().split("\n") : [];
  for (const line of lines) {
    const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number);
    if (uid >= inside && uid < inside + count) return outside - inside;
  }
  return 0;
}

function passRemedy(uid: number, directory: string): string {
  const shift = shiftOf(uid);
  const where = shift === 0 ? "" : ", outside this user namespace";
  const span = directory.startsWith("/run/") ? " until the next boot" : "";
  return `let this user pass${span}${where}: setfacl -m u:${uid + shift}:x ${shellWord(directory)}`;
}

function refusing(path: string): Row | undefined {
  const barrier = barrierTo(path, constants.W_OK);
  if (barrier === undefined) return undefined;
  const uid = process.geteuid?.() ?? 0;
  const stats = lstatSync(barrier.path);
  const refusal = (what: string, remedy: string) =>
    failed("permission", `${what} ${describe(barrier.path, stats)} refuses uid ${uid}`, remedy);
  if (stats.isSymbolicLink())
    return refusal("the link", "name the socket by a path that this user may follow");
  return barrier.mode === constants.X_OK
    ? refusal("the directory", passRemedy(uid, barrier.path))
    : refusal("the socket", socketRemedy(stats));
}

/* If only the mode's w is missing, joining the group does not help; and root's group would give more than the socket. */
function socketRemedy({ gid, mode }: Stats): string {
  if ((mode & constants.S_IWGRP) === 0)
    return "start the server with --group or --mode, such as 0660: connecting needs write permission";
  const join = "add this user to the socket's group, which counts from the next login on, or ";
  return `${gid === 0 ? "" : join}start the server with --group or --mode`;
}

/** May this user open the socket? The kernel is asked for each step of the path, so ACLs count. */
export function permissionRow(path: string): Row {
  if (path.startsWith("@")) return ok("permission", "abstract names have no permissions");
  const seen = lookAt(path);
  const refused = seen === "misplaced" ? undefined : refusing(path);
  if (refused) return refused;
  return seen === "socket"
    ? ok("permission", `uid ${process.geteuid?.()} may open ${path}`)
    : skipped("permission", "there is nothing to open");
}

function lookAt(path: string): "socket" | "other" | "missing" | "hidden" | "misplaced" | "circle" {
  try {
    return statSync(path).isSocket() ? "socket" : "other";
  } catch (error) {
    switch (codeOf(error)) {
      case "EACCES":
        return "hidden";
      case "ENOTDIR":
        return "misplaced";
      case "ELOOP":
        return "circle";
      default:
        return "missing";
    }
  }
}

function abstractRow(name: string): Row {
  return readFileSync("/proc/self/net/unix", "utf8").includes(` ${name}\n`)
    ? ok("socket", `${name} is known in this network namespace`)
    : failed(
        "socket",
        `there is no ${name} in this network namespace`,
        `if the server runs in another one, have it listen at a path, since abstract names are not visible from there; else start it here: xsocket serve ${shellWord(name)}`,
      );
}

const ELSEWHERE =
  "name the control socket of a server, or start one at another path: xsocket serve PATH";

/** Is there a control socket at all? */
export function socketRow(path: string): Row {
  if (path.startsWith("@")) return abstractRow(path);
  switch (lookAt(path)) {
    case "socket":
      return ok("socket", `${path} is a socket`);
    case "other":
      return failed("socket", `${path} is not a socket`, ELSEWHERE);
    case "misplaced":
      return failed("socket", `a part of the path ${path} is not a directory`, ELSEWHERE);
    case "circle":
      return rowOfError("socket", failedAt("reach", path, -errno.ELOOP, "look at the socket"));
    case "missing":
      return isLink(path)
        ? failed(
            "socket",
            `${path} is a link to nothing`,
            `remove the link (rm ${shellWord(path)}) and ${startAt(path)}`,
          )
        : failed(
            "socket",
            `${path} does not exist`,
            `if the server runs and this is a container, mount its directory here; else ${startAt(path)}`,
          );
    case "hidden":
      return skipped("socket", `${path} cannot be seen`);
  }
}

function serverOf(connection: number): string {
  const { pid, uid, command } = listenerOf(loadSyscalls(), connection);
  if (pid === 0)
    // what the kernel gives for a process that is not visible from here
    return `a process of another PID namespace, of uid ${uid}, listens`;
  const isUnit = command === "systemd";
  return `process ${pid}${isUnit ? " (systemd, for a socket unit)" : ""} of uid ${uid} listens`;
}

/** Does a server take connections there? This is for a socket that the permissions let this user open. */
export function serverRow(path: string): Row {
  const native = loadSyscalls();
  const connection = native.handoverConnect(path, CONNECT_MS);
  if (connection === -errno.EACCES && !path.startsWith("@"))
    return failed(
      "server",
      `${path} may be opened, but a connection is denied (EACCES)`,
      "allow the connection in the rules that confine this program: those of Landlock, AppArmor or SELinux",
    );
  if (connection < 0)
    return rowOfError("server", failedAt("reach", path, connection, "reach a server"));
  try {
    return ok("server", serverOf(connection));
  } finally {
    native.close(connection);
  }
}
