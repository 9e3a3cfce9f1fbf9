import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { shellWord } from "@xsocket/protocol";
import { codeOf, loadSyscalls, tried } from "@xsocket/xbind-native";
import { dropsPreload } from "./drops.ts";
import { type Elf, readElf } from "./elf.ts";
import type { Program } from "./program.ts";

/** Why a library cannot be preloaded into a program, and what to do instead. */
interface Obstacle {
  readonly found: string;
  readonly remedy: string;
}

const MACHINES: Record<number, string> = {
  3: "x86",
  8: "MIPS",
  20: "PowerPC",
  21: "PowerPC64",
  22: "S/390",
  40: "ARM",
  62: "x86-64",
  183: "arm64",
  243: "RISC-V",
  258: "LoongArch",
};

const OPEN =
  'start it with "xsocket open --exec" if it supports socket activation, change its source to use libxsocket, or, if it only starts another program, put "xsocket run" after it';

/* XSOCKET_LIBDIR is no remedy: this command would load its own libxsocket.so from there, too. */
function byHand(platform: string): string {
  return `start it without this command, and set LD_PRELOAD to a libxbind.so for ${platform}, as xbind(7) shows`;
}

function machineName({ machine, bits }: Elf): string {
  return `${MACHINES[machine] ?? `machine ${machine}`} (${bits} bit)`;
}

function libcOf(interpreter: string): string {
  return basename(interpreter).startsWith("ld-musl") ? "musl" : "glibc";
}

function libraryLibc(library: string): string {
  return readFileSync(library).includes("libc.so.6\0") ? "glibc" : "musl";
}

/* Whether no_new_privs is set, as containers and units do: then set-user-ID and the like have no effect. */
function gainsNothing(): boolean {
  return /^NoNewPrivs:\t1$/m.test(readFileSync("/proc/self/status", "latin1"));
}

/* Whether a file is on a mount with nosuid, which has the same effect: mount(8). */
function isNosuid(path: string): boolean {
  const fd = openSync(path, "r");
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, "latin1");
    const [, mount] = /^mnt_id:\t(\d+)$/m.exec(info) ?? [];
    const mounts = readFileSync("/proc/self/mountinfo", "latin1");
    return new RegExp(`^${mount} (?:\\S+ ){4}\\S*\\bnosuid\\b`, "m").test(mounts);
  } finally {
    closeSync(fd);
  }
}

/* What these start has its own environment and files. */
const CONTAINERS = new Set([
  "buildah",
  "crun",
  "docker",
  "docker-compose",
  "flatpak",
  "lxc-execute",
  "lxc-start",
  "nerdctl",
  "podman",
  "podman-compose",
  "runc",
  "systemd-nspawn",
]);

/* These have another process start the program. */
const MANAGERS = new Set(["service", "supervisorctl", "systemctl"]);

/* The dynamic loader, which looks static but runs a program: ld-linux-x86-64.so.2, ld64.so.1, ld.so. */
const LOADER = /^ld(64|-[\w.-]+)?\.so(\.\d+)*$/;

/* Only a change of identity makes the loader ignore LD_PRELOAD. */
function changesUser(path: string): boolean {
  if (gainsNothing()) return false;
  const { mode, uid, gid } = statSync(path);
  const changes =
    ((mode & 0o4000) !== 0 && uid !== process.geteuid?.()) ||
    ((mode & 0o2010) === 0o2010 && gid !== process.getegid?.());
  return changes && !isNosuid(path);
}

function hasCapabilities(path: string): boolean {
  if (process.geteuid?.() === 0) return false; // root has them all and gains nothing
  const length = tried(loadSyscalls)?.xattr(path, "security.capability", null, 0) ?? 0;
  return length > 0 && !isNosuid(path);
}

/* The runtime of gcc's AddressSanitizer ends the program if it is not the first library. */
function insistsOnBeingFirst({ needed }: Elf): boolean {
  const { ASAN_OPTIONS = "", XSOCKET_RUN_PRELOAD = "" } = process.env;
  return (
    needed.some((name) => name.startsWith("libasan.so")) &&
    !/verify_asan_link_order=(0|false)/.test(ASAN_OPTIONS) &&
    !XSOCKET_RUN_PRELOAD.includes("libasan.so")
  );
}

/** The remedy for a library that cannot be the right one. */
export const REINSTALL = "reinstall xsocket, or correct XSOCKET_LIBDIR";

/** Why the loader would not take a library: it would only print a message, and run the program without it. */
export function unusable(library: string): Obstacle | undefined {
  try {
    if (readElf(library)) return undefined;
  } catch (error) {
    return {
      found: `this user may not read ${library} (${codeOf(error)})`,
      remedy: `make it readable (chmod a+r ${shellWord(library)})`,
    };
  }
  return {
    found: `${library} is not a library, or only a part of one`,
    remedy: REINSTALL,
  };
}

/* What the checks look at. */
interface Start {
  /** Of the program's image. */
  readonly elf: Elf;
  readonly program: Program;
  /** Its arguments. */
  readonly words: readonly string[];
  readonly library: string;
}

/* Returns an obstacle, or undefined if there is none of its kind. */
type Check = (start: Start) => Obstacle | undefined;

function where(isThere: (start: Start) => boolean, found: string, remedy: string): Check {
  return (start) => (isThere(start) ? { found, remedy } : undefined);
}

const CHECKS: readonly Check[] = [
  ({ library }) => unusable(library),
  where(
    ({ program }) => CONTAINERS.has(basename(program.path)), // which may be a script
    "it gives a container its own environment",
    'give that the lines of "xsocket run --print", and the container the library and the directory of the control socket, as docs/containers.md shows',
  ),
  where(
    ({ program }) => MANAGERS.has(basename(program.path)),
    "it has a service started, which has its own environment",
    'give the service each line of "xsocket run --print" (in a unit after Environment=, as docs/systemd.md shows)',
  ),
  ({ elf: { compiler } }) =>
    compiler && {
      found: `it is a ${compiler} program, which makes system calls itself, without the C library`,
      remedy: OPEN,
    },
  where(
    ({ elf, program }) => elf.interpreter === undefined && !LOADER.test(basename(program.image)),
    "it is statically linked, so nothing can be preloaded into it",
    `use a dynamically linked build, ${OPEN}`,
  ),
  where(
    ({ program }) => changesUser(program.image),
    "it is set-user-ID or set-group-ID, so the loader ignores LD_PRELOAD",
    'put "xsocket run" after it, or run it as the user that it becomes',
  ),
  where(
    ({ program, words }) => dropsPreload(program, words),
    "it drops LD_PRELOAD from the environment of the program that it starts",
    'put "xsocket run" after it',
  ),
  ({ program: { image } }) =>
    hasCapabilities(image)
      ? {
          found: "its file gives it capabilities, so the loader ignores LD_PRELOAD",
          remedy: `remove them (setcap -r ${shellWord(image)}) and give them another way, such as AmbientCapabilities= of its unit`,
        }
      : undefined,
  ({ elf, library }) => {
    const ours = readElf(library);
    if (!ours || (ours.machine === elf.machine && ours.bits === elf.bits)) return undefined;
    return {
      found: `it is built for ${machineName(elf)}, and ${library} for ${machineName(ours)}`,
      remedy: byHand(machineName(elf)),
    };
  },
  ({ elf, program, library }) => {
    const [its, ours] = [libcOf(elf.interpreter ?? program.image), libraryLibc(library)];
    if (its === ours) return undefined;
    return {
      found: `it uses the C library ${its}, and ${library} uses ${ours}`,
      remedy: byHand(its),
    };
  },
  where(
    ({ elf }) => insistsOnBeingFirst(elf),
    "it is built with AddressSanitizer, whose runtime ends a program if another library is loaded first",
    "set ASAN_OPTIONS=verify_asan_link_order=0 in its environment",
  ),
];

/**
 * Why the library cannot work in a program, or in what that starts; undefined if nothing is known against it.
 *
 * @param words the program's arguments
 */
export function preloadObstacle(
  program: Program,
  library: string,
  words: readonly string[] = [],
): Obstacle | undefined {
  const elf = tried(() => readElf(program.image)); // this user may run the program but not read it
  if (elf === undefined) return undefined;
  for (const check of CHECKS) {
    const obstacle = check({ elf, program, words, library });
    if (obstacle) return obstacle;
  }
  return undefined;
}
