import { expect, test } from "bun:test";
import { errno, loadSyscalls } from "@xsocket/xbind-native";
import { refuseDescriptorsOf } from "./passrights.ts";

test("reports a kernel without SO_PASSRIGHTS, with the failed call as cause", () => {
  const sys = { ...loadSyscalls(), setsockopt: () => -errno.ENOPROTOOPT };
  expect(() => refuseDescriptorsOf(sys, -1)).toThrow(
    expect.objectContaining({
      code: "SYSTEM",
      message: expect.stringContaining("use Linux 6.16 or later"),
      cause: expect.objectContaining({ call: "setsockopt", code: "ENOPROTOOPT" }),
    }),
  );
});

test("blames a seccomp filter, not the directory, when setsockopt is filtered", () => {
  const sys = { ...loadSyscalls(), setsockopt: () => -errno.EPERM };
  expect(() => refuseDescriptorsOf(sys, -1)).toThrow(
    /^cannot refuse descriptors as uid \d+: EPERM. Let the seccomp filter allow setsockopt$/,
  );
});
