import { http, type Program } from "../program.ts";

/* A simple server behind something that runs it. */
const behind = (
  name: string,
  pkg: string,
  launch: string,
  more: Partial<Program> = {},
): Program => ({
  ...http,
  name,
  packages: [pkg, "python3"],
  run: `${launch} python3 -u -m http.server 8080`,
  logsPeerTo: "output",
  ...more,
});

const built = (
  name: string,
  pkg: string,
  compiler: string,
  more: Partial<Program> = {},
): Program => ({
  ...http,
  name,
  packages: [pkg],
  prepare: `${compiler} -o server $SOURCES/server.c`,
  run: "exec ./server",
  logsPeerTo: "output",
  ...more,
});

/** Launchers, debuggers, sandboxes, sanitizers and other libraries that are preloaded. */
export const launchers: readonly Program[] = [
  behind("strace -f", "strace", "exec strace -f -o trace"),
  built("gdb", "gdb", "gcc", { run: "exec gdb -batch -ex run ./server", packages: ["gdb", "gcc"] }),
  built("Valgrind", "valgrind", "gcc", {
    run: "exec valgrind -q ./server",
    packages: ["valgrind", "gcc"],
  }),
  behind(
    "bubblewrap, with a process namespace",
    "bubblewrap",
    "exec bwrap --bind / / --dev-bind /dev /dev --proc /proc --unshare-pid",
  ),
  behind("no new privileges (setpriv)", "util-linux", "exec setpriv --no-new-privs"),
  behind(
    "jemalloc, preloaded too",
    "libjemalloc2",
    'LD_PRELOAD="$LD_PRELOAD libjemalloc.so.2" exec',
  ),
  behind("faketime", "faketime", "exec faketime '2001-01-01'"),
  behind("fakeroot", "fakeroot", "exec fakeroot"),
  behind("mptcpize", "mptcpize", "exec mptcpize run", {
    cannot: {
      reason: "it sets LD_PRELOAD to its own library, in place of what was there",
      instead: "name both libraries after it, as in the next line",
    },
  }),
  behind(
    "mptcpize, with the library after it",
    "mptcpize",
    `library=$LD_PRELOAD; unset LD_PRELOAD; export library; exec mptcpize run sh -c 'LD_PRELOAD="$library $LD_PRELOAD" exec "$@"' -`,
    { remark: "the socket that moves is one of MPTCP" },
  ),
  behind("env -i, and others that clean the environment", "coreutils", "exec env -i", {
    version: "env --version | head -n 1",
    cannot: {
      reason: "the program after it is started without LD_PRELOAD",
      instead:
        "put the library after it (`env -i $(command -v xsocket) run ...`), or have it keep LD_PRELOAD, XBIND and XSOCKET",
    },
  }),
  built("ThreadSanitizer", "gcc", "gcc -fsanitize=thread"),
  built("UndefinedBehaviorSanitizer", "gcc", "gcc -fsanitize=undefined"),
  built("AddressSanitizer, clang", "clang-19", "clang-19 -fsanitize=address", {
    packages: ["clang-19", "libclang-rt-19-dev"],
  }),
  built("AddressSanitizer, gcc", "gcc", "gcc -fsanitize=address", {
    cannot: {
      reason: "its runtime ends the program when another library is loaded before it",
      instead: "ASAN_OPTIONS=verify_asan_link_order=0",
    },
  }),
  built("AddressSanitizer, gcc, verify_asan_link_order=0", "gcc", "gcc -fsanitize=address", {
    run: "ASAN_OPTIONS=verify_asan_link_order=0 exec ./server",
  }),
];
