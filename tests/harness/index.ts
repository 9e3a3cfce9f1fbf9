/*
 * The harness of the whole-system tests, also for unit tests that need a real namespace, a server
 * or a program:
 *
 *   test("a page crosses", async () => {
 *     await using target = await createNamespace();      // a network namespace with only lo, which is up
 *     await using server = await startServer({ place: target }); // place: "own" if the test does not use it
 *     await using inside = await createNamespace();
 *     await using program = inside.spawn(["python3", "-m", "http.server", "3000"], {
 *       env: { LD_PRELOAD: libraryPath("xbind"), XBIND: "3000", XSOCKET: server.path },
 *     });
 *     await eventually("port 3000 to open", () => target.listens("tcp", 3000));
 *     expect(await target.fetchText("http://127.0.0.1:3000/")).toContain("Directory listing");
 *   });
 *
 * Everything made here is disposed of at the end of its scope, even if the test fails. A test that leaves a
 * descriptor open fails (guard.ts).
 *
 * A test that needs a user namespace is test.skipIf(isChrooted); one that needs a second user is
 * test.if(isRoot), or test.skipIf(isAlone) if others than root run it, too. Where there are no new namespaces at
 * all, scripts/steps.sh leaves out every file with a test that makes one, unless it has the word isContained:
 * such a file is run, and what needs a namespace in it is test.skipIf(isContained).
 *
 * Not describe.skipIf(): Bun counts the tests in it whatever -t says, so that a name that no test has would not fail.
 */
export { createNamespace, type Namespace } from "./namespace.ts";
export { descriptors, leaked } from "./descriptors.ts";
export { here, Place, type Result, type RunOptions } from "./place.ts";
export { refusing } from "./refusing.ts";
export { eventually } from "./wait.ts";
export { seenCommand } from "./command.ts";
export { changedDirectory, changedEnv } from "./changed.ts";
export { hasIpv6, knowsIpv6 } from "./ipv6.ts";
export { hasCookies, netnsCookie } from "./cookie.ts";
export {
  asOrdinaryUser,
  bunAsOrdinaryUser,
  HELD_TO_MODES,
  isAlone,
  isChrooted,
  isContained,
  isRoot,
  ORDINARY_ENV,
  ORDINARY_UID,
  OWN_MACHINE,
  OWN_MOUNTS,
  xsocketForEveryone,
} from "./user.ts";
export { type Running } from "./running.ts";
export { activated, START, startServer, tryServing, typed, XSOCKET } from "./server.ts";
export { ROOT, textOf } from "./root.ts";
export { expectSentence } from "./sentence.ts";
export { strangerAt } from "./stranger.ts";
export { tempDir, type TempDir } from "./temp.ts";
export { boundAt, knowsOption, leaveStale } from "./unix.ts";
export { vectors } from "./vectors.ts";
export { socketUnit, systemdVersion, verifyUnit } from "./unit.ts";
