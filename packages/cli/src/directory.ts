/*
 * This process stays in /, because Bun reads package.json and tsconfig.json of the current
 * directory at its start and again for each Worker. So names that a user gives are resolved here,
 * and never by way of the current directory.
 */
import { closeSync, fstatSync, lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { codeOf, tried } from "@xsocket/xbind-native";
import { MisuseError } from "./errors.ts";

/* What decoding puts in the place of bytes that are not UTF-8. */
const LOST = "\uFFFD";

/* Whether the directory that the command was started in may be entered. */
let isEntered = false;
/* Its path; undefined if it may not be entered, or if it is deeper than a path can be long. */
let directory: string | undefined;
/* The descriptor of that directory, kept open only where its path does not lead to it. */
let descriptor: number | undefined;
/* Whether that path leads nowhere, since the directory was removed or a later mount hides it: nothing can be below it, but
   ".." still leads out of it. */
let isGone = false;

/* Whether a path leads to a directory: not if its parents may not be entered, it lies below a later mount, or it was
   removed. */
function leadsTo(path: string, fd: number): boolean {
  try {
    const [there, here] = [statSync(path, { bigint: true }), fstatSync(fd, { bigint: true })];
    return there.ino === here.ino && there.dev === here.dev;
  } catch {
    return false;
  }
}

/* False only if it is certain: parents that may not be entered say nothing, nor does a path that has lost bytes. */
function mayBeThere(path: string): boolean {
  if (!isText(path)) return true;
  try {
    statSync(path);
    return true;
  } catch (error) {
    return codeOf(error) !== "ENOENT";
  }
}

/** Remembers the directory that the launcher was started in, -1 for one that may not be entered. */
export function startedIn(fd: number): void {
  if (fd < 0) return;
  isEntered = true;
  directory = tried(() => readlinkSync(`/proc/self/fd/${fd}`));
  if (directory !== undefined && leadsTo(directory, fd)) closeSync(fd);
  else {
    descriptor = fd;
    isGone = fstatSync(fd).nlink === 0 || (directory !== undefined && !mayBeThere(directory));
  }
}

/** Closes the directory's descriptor, which would keep its file system busy. From here on only its path is used. */
export function leaveDirectory(): void {
  if (descriptor !== undefined) closeSync(descriptor);
  descriptor = undefined;
}

/** Whether a text is what the user has written; else bytes that are not UTF-8 were lost in decoding. */
export function isText(text: string): boolean {
  return !text.includes(LOST);
}

/** Whether a name can be resolved: a relative one needs a directory that may be entered. */
export function isResolvable(name: string): boolean {
  return name.startsWith("/") || isEntered;
}

function unfindable(name: string, why: string): MisuseError {
  return new MisuseError(
    `"${name}" cannot be found, because the current directory ${why}: give an absolute path`,
  );
}

function checkResolvable(name: string): void {
  if (!isResolvable(name)) throw unfindable(name, "may not be entered");
}

/**
 * A path by which this process, and no other, reaches a file that the user has named, as the kernel would from
 * the directory itself. It is of no use if bytes were lost ({@link isText}).
 *
 * @throws {MisuseError} for a relative one in a directory that may not be entered
 */
export function kernelPath(name: string): string {
  checkResolvable(name);
  if (name.startsWith("/")) return name;
  const base = descriptor === undefined ? directory : `/proc/self/fd/${descriptor}`;
  return `${base}/${name.replace(/^(?:\.\/+)+/, "")}`;
}

/* The directory that ".." means behind `path`. Behind a link it is the one above the link's target, as for the kernel. */
function above(path: string): string {
  const isLink = tried(() => lstatSync(path).isSymbolicLink()); // what is not there is none
  const target = isLink ? tried(() => realpathSync(path)) : undefined;
  return dirname(target ?? path);
}

function absolute(name: string): string {
  const start = name.startsWith("/") ? "/" : (directory ?? "/");
  return name
    .split("/")
    .reduce((path, part) => (part === ".." ? above(path) : join(path, part)), start);
}

/**
 * The absolute path of a directory that the user has named.
 *
 * @throws {MisuseError} for a relative one where the current directory has no path that leads there, for one that
 * is not UTF-8, since it would be another one's, and for one that has the shell's `~` still in it
 */
export function userDirectory(name: string): string {
  // as in --socket=~/control: to make the directory "~" here would be a trap
  if (name.startsWith("~/"))
    throw new MisuseError(
      `the shell has not replaced the ~ of ${name}: write $HOME${name.slice(1)}`,
    );
  checkResolvable(name);
  if (directory === undefined && !name.startsWith("/"))
    throw unfindable(name, "has too long a path");
  const path = absolute(name);
  if (isGone && `${path}/`.startsWith(`${directory}/`))
    throw unfindable(name, "was removed or is hidden by a mount");
  if (isText(path)) return path;
  throw new MisuseError(`${path} is not UTF-8: give a path that is, such as that of a link to it`);
}

/**
 * The absolute path of a file that the user has named.
 *
 * @throws {MisuseError} as {@link userDirectory}, and for one that ends in a slash, since it can only be a directory's
 */
export function userPath(name: string): string {
  const path = userDirectory(name);
  if (!name.endsWith("/")) return path;
  throw new MisuseError(`${name} ends in a slash, as a directory does: give the path of a file`);
}
