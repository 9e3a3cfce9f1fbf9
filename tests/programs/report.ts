import type { Program } from "./program.ts";
import { table } from "./table/index.ts";

/** What came of one program. */
export interface Verdict {
  readonly program: Program;
  readonly version: string;
  /** What did not hold. */
  readonly failure?: string;
}

const HEAD = `# Which programs work under libxbind.so

This page is made by \`./dev programs\`, which starts each program unchanged in a network namespace that has only \`lo\`,
once without the library and once with it, and speaks to it with a real client from the namespace that it is to be reached in.
"Works" means: the answer comes back; the program's log, where it has one, names the client's real address; the port is closed in the program's
own namespace; and without the library none of it is reachable from outside. Versions are Debian's.
`;

const TAIL = `
## Ways into bind

Followed: \`bind\`, \`listen\` without it (with \`XBIND=*\`), \`bindresvport\` and \`rresvport\`, by whichever library of the program they are called;
\`syscall(SYS_bind, ...)\` and \`syscall(SYS_listen, ...)\`; and, with glibc on x86-64 and arm64, a \`bind\` or \`listen\` that the program looked up in libc itself
by \`dlopen\` and \`dlsym\`, as foreign function interfaces do.
Not followed, so that the port opens in the program's own namespace: a program's own system call instruction; a function looked up by \`dlvsym\`, and a \`syscall\` looked up in libc itself;
a \`bind\` inside a plugin loaded with \`RTLD_DEEPBIND\`, which searches libc before any preloaded library; one in a library that
\`dlmopen\` loads, which gets a libc of its own; \`IORING_OP_BIND\`; with \`XBIND=*\` an \`IORING_OP_LISTEN\` without bind;
and a port below 1024 where authbind's library comes before this one in \`LD_PRELOAD\`, since its helper binds (the command \`authbind\` puts it behind).

## What was not run

All programs of these tables ran on x86-64 with glibc, and none of them elsewhere. The library's own C tests also run on musl and i386, by the presets
\`musl\` and \`i386\`; and as arm64 programs under qemu-user, without those that ctest lists as disabled: users other than root, most socket options,
and a few calls that the emulator does not know. The server and the SDK run there, too, on Bun for arm64. A machine with arm64,
Bun for musl, and programs that AppArmor or SELinux confines, were not tried.

## Test suites of other projects

These were run twice each in a network namespace of their own, without the library and with \`XBIND=*\` and a server in the same namespace;
what waits for time and failed got another try. \`./dev suites\` repeats those of libuv,
libmicrohttpd, memcached, CPython, Twisted, Tornado, Trio, aiosmtpd and stress-ng.

| suite                                                     | version          | pass without it | of them with it |
| --------------------------------------------------------- | ---------------- | --------------- | --------------- |
| libuv                                                     | 1.50.0           | 443             | 443             |
| libmicrohttpd, HTTP by select, poll and epoll             | 1.0.1            | 112             | 112             |
| memcached, test files                                     | 1.6.38           | 76              | 76              |
| libevent                                                  | 2.1.13           | 356             | 356             |
| Boost.Asio, test programs, by epoll, select and io_uring  | 1.83             | 48              | 48              |
| Node.js, all tests of networks, processes and workers     | 20.19.2          | 2101            | 2101            |
| socat, test.sh                                            | 1.8.0.3          | 524             | 524             |
| HAProxy, regression tests                                 | 3.0.11           | 208             | 208             |
| Mosquitto, broker and library                             | 2.0.21           | 215             | 215             |
| Redis, units of networking, replication and shutdown      | 8.0.2            | 371             | 371             |
| GLib, GIO and GDBus | 2.84.4 | 335 | 335 |
| libsoup and glib-networking | 3.6.5 | 474 | 474 |
| curl, 246 of its tests | 8.14.1 | 245 | 245 |
| lighttpd | 1.4.79 | 9 | 9 |
| CPython: sockets, event loops, servers, processes         | 3.13.5           | 7920            | 7920            |
| Twisted                                                   | 24.11.0          | 6569            | 6569            |
| Tornado                                                   | 6.4.2            | 1169            | 1169            |
| Trio                                                      | 0.29.0           | 756             | 756             |
| uvicorn                                                   | 0.32.0           | 807             | 807             |
| websockets                                                | 15.0.1           | 1884            | 1884            |
| gunicorn                                                  | 23.0.0           | 260             | 260             |
| Hypercorn | 0.17.3 | 195 | 195 |
| aiosmtpd | 1.4.6 | 551 | 551 |
| Ruby: sockets, Net, dRuby, OpenSSL, IO, fibers            | 3.3.14           | 1739            | 1739            |
| EventMachine                                              | 1.3              | 294             | 294             |
| Puma, its server, binder, TLS and processes | 6.6.0 | 260 | 260 |
| PHP: sockets, streams, HTTP, OpenSSL, php -S; tests of 8.2 | 8.4.28           | 526             | 526             |
| Perl: IO, Socket, libnet, AnyEvent, IO::Async, Mojolicious | 5.40.1           | 7880            | 7880            |
| Tcl: sockets, channels, http                              | 8.6.16           | 1415            | 1415            |
| Java: OpenJDK's tests of NIO channels and sockets          | 17.0.21          | 122             | 122             |
| Erlang: gen_tcp, gen_udp, inet, by suites of kernel       | 27.3.4           | 168             | 168             |
| Rust: tokio, TCP and UDP                                  | 1.43.1           | 67              | 67              |
| Rust: nix, polling, async-io, async-std, quinn-udp, tiny_http, actix-server | nix 0.29.0 | 538 | 538 |
| Go: net, net/http, net/rpc, internal/poll; all left at home | 1.24.4 | 853 | 853 |
| Linux selftests: reuseport, flow labels, timestamps, zerocopy, TLS | 6.12.118 | 525 | 525 |
| Linux selftests: fcnal-test without VRF, TCP-MD5 included | 6.12.118 | 341 | 341 |
| stress-ng: its stressors of sockets | 0.19.02 | 44 | 44 |
| liburing: its tests that use sockets | 2.9 | 31 | 31 |
| OpenSSH: forwarding, channels, re-execution | 10.0p1 | 5 | 5 |
| OpenSSL: s_server behind TLSProxy, HTTP, CMP | 3.0.20 | 214 | 214 |
| Qt: tst_qtcpserver, tst_qudpsocket, without Qt's test server | 6.8.2 | 168 | 168 |
| POCO, Net | 1.14.2 | 312 | 312 |
| ZeroMQ, libzmq | 4.3.4 | 509 | 509 |
| nng | 1.5.2 | 88 | 88 |
| c-ares, without those that need the Internet | 1.18.1 | 370 | 370 |
| Apache Portable Runtime, groups of tests | 1.7.5 | 44 | 44 |
| Perl: Net::Server | 2.014 | 195 | 195 |
| dnspython | 2.7.0 | 1218 | 1218 |
| Emacs: processes, network streams, TLS, JSON-RPC          | 30.1             | 77              | 77              |
| Guile: sockets, name lookups, ports                       | 3.0.10           | 399             | 399             |
| Varnish: part of its groups a, b, j, l, o and t | 7.7.0 | 107 | 107 |
| Knot DNS: networking, requestor, server, workers (programs) | 3.4.6 | 13 | 13 |
| libnice: ICE over UDP and TCP | 0.1.22 | 41 | 41 |
| nanomsg | 1.1.5 | 42 | 42 |
| CZMQ, its selftest | 4.2.1 | 1 | 1 |
| GNU Wget, against its own servers | 1.25.0 | 47 | 47 |
| Haskell: network | 3.1.4.0 | 86 | 86 |
| Crystal: sockets, HTTP server | 1.14.0 | 94 | 94 |
| SBCL: sb-bsd-sockets | 2.5.2 | 14 | 14 |
| Lua: cqueues | 20200726 | 20 | 20 |
| Cheroot | 10.0.1 | 181 | 181 |
| Perl: IO::Socket::SSL, Net::SSLeay, Plack, POE and seven more, test files | IO::Socket::SSL 2.089 | 349 | 349 |

gevent's suite of 2117 tests differs from run to run with the time it is given, without the library as well; no test of it fails each time with the
library and passes without. Java's count is of \`main\` and TestNG runs, 144 in all.

Of strace's own tests, 118 about sockets and epoll at version 6.1, 100 pass without the library and 83 with it: the other 17 compare whole traces, and
strace sees the library's calls between the program's own. None of the program's is missing there.
`;

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function verdictOf({ program, failure }: Verdict): string {
  if (failure !== undefined) return "**does not work**";
  return program.cannot === undefined ? "works" : "cannot work";
}

function remarkOf({ program, failure }: Verdict): string {
  if (failure !== undefined) return failure.slice(0, 200);
  const { cannot, remark, dropsRoot, logsPeerTo } = program;
  if (cannot !== undefined) return `${cannot.reason}. Instead: ${cannot.instead}`;
  const said = [
    logsPeerTo === undefined ? undefined : "logs the client's address",
    dropsRoot ? "gives up root before it binds: let its user use the control socket" : undefined,
    remark,
  ];
  return said.filter((words) => words !== undefined).join("; ");
}

function section(heading: string, verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((verdict) => {
    const cells = [verdict.program.name, verdict.version, verdictOf(verdict), remarkOf(verdict)];
    return `| ${cells.map(cell).join(" | ")} |`;
  });
  const head = ["| program | version | verdict | remark |", "| --- | --- | --- | --- |"];
  return `\n## ${heading}\n\n${[...head, ...rows].join("\n")}\n`;
}

/** Writes docs/compatibility.md: one table for each part of the matrix. */
export function report(verdicts: readonly Verdict[]): string {
  const sections = Object.entries(table).map(([heading, programs]) =>
    section(
      heading,
      verdicts.filter(({ program }) => programs.includes(program)),
    ),
  );
  return HEAD + sections.join("") + TAIL;
}
