import { basename } from "node:path";
import { libraryPath } from "@xsocket/xbind-native";
import { isText } from "./directory.ts";
import { FailureError } from "./errors.ts";

/* Sanitizer runtimes, which end a program in which they are not the first library. */
const MUST_LEAD = /^lib(?:clang_rt\.)?(?:asan|tsan|hwasan|msan)/;

/**
 * The value of LD_PRELOAD that adds libxbind to what is there. Ours comes first, so that the socket has been
 * swapped before other libraries see it; only sanitizers stay in front of it. It replaces another libxbind, which
 * may be of an older version, or not exist any more.
 *
 * @param existing what LD_PRELOAD holds without us
 * @throws {FailureError} if LD_PRELOAD cannot hold the library's path, or `existing` is not UTF-8
 * @throws {LibraryNotFoundError} if there is no library
 */
export function preloadWith(existing: string): string {
  const ours = libraryPath("xbind");
  if (/[\s:]/.test(ours))
    throw new FailureError(
      `${ours} cannot be preloaded, since LD_PRELOAD separates its paths by spaces and colons: move xsocket to a directory without them`,
    );
  if (!isText(existing))
    throw new FailureError(
      `LD_PRELOAD "${existing}" is not UTF-8: name the library by a path that is, such as that of a link to it`,
    );
  const others = existing.split(/[\s:]+/).filter((path) => path !== "");
  const another = others.findIndex((path) => basename(path) === basename(ours));
  if (another >= 0) return others.with(another, ours).join(":");
  const follower = others.findIndex((path) => !MUST_LEAD.test(basename(path)));
  const at = follower < 0 ? others.length : follower;
  return others.toSpliced(at, 0, ours).join(":");
}
