import { http, type Program } from "../program.ts";

const compile = (source: string, libraries = "") =>
  `gcc -O1 -o server $SOURCES/${source} ${libraries}`;

const small = (name: string, source: string, more: Partial<Program> = {}): Program => ({
  ...http,
  name,
  packages: ["gcc"],
  prepare: compile(source),
  run: "exec ./server",
  logsPeerTo: "output",
  ...more,
});

/* For programs without socket activation. */
const relay = "let `socat` under the library listen for it";

const instead = `call xsocket(3) in its source, start it with \`xsocket open --exec\` if it supports systemd's socket activation, or ${relay}`;

const staticProgram = {
  reason: "a static program has no dynamic loader that could load a library",
  instead,
} as const;

/** The matrix's own small programs: what few packaged programs do, and what cannot work. */
export const native: readonly Program[] = [
  small("epoll before bind", "epoll-first.c"),
  small("chroot before bind", "server.c", { run: "exec ./server chroot" }),
  small("chroot, fork, bind in the child", "server.c", { run: "exec ./server chroot fork" }),
  small("chroot, then setuid, then bind", "server.c", {
    run: "exec ./server chroot setuid",
    dropsRoot: true,
    cannot: {
      reason:
        "the control socket is out of reach in the jail, and a connection that was made as root is not used for another user",
      instead:
        "mount the directory of the control socket in the jail, start it as that user, or let it bind before it gives up root",
    },
  }),
  small("setuid away from root before bind", "server.c", {
    run: "exec ./server setuid",
    dropsRoot: true,
  }),
  small("bind in a thread with a small stack", "server.c", {
    prepare: compile("server.c", "-pthread"),
    run: "exec ./server thread",
  }),
  small("fork after socket, bind in the child", "server.c", { run: "exec ./server fork" }),
  small("fork, close all other descriptors, bind", "server.c", { run: "exec ./server daemon" }),
  small("libuv", "libuv.c", {
    packages: ["libuv1-dev", "gcc"],
    prepare: compile("libuv.c", "-luv"),
  }),
  small("libevent", "libevent.c", {
    packages: ["libevent-dev", "gcc"],
    prepare: compile("libevent.c", "-levent"),
  }),
  small("libev", "libev.c", {
    packages: ["libev-dev", "gcc"],
    prepare: compile("libev.c", "-lev"),
  }),
  small("Asio, C++", "asio.cpp", {
    packages: ["libasio-dev", "g++"],
    prepare: "g++ -O0 -o server $SOURCES/asio.cpp -pthread",
  }),
  small("a static program", "server.c", {
    prepare: compile("server.c", "-static"),
    cannot: staticProgram,
  }),
  {
    ...http,
    name: "busybox httpd (static)",
    packages: ["busybox-static"],
    run: "exec busybox httpd -f -p 8080 -h $DIR",
    cannot: { ...staticProgram, instead: relay },
  },
  {
    name: "NATS, in Go",
    packages: ["nats-server"],
    run: "exec nats-server -p 4222",
    port: 4222,
    client: "nc -d -w 1 $HOST $PORT",
    expect: /INFO/,
    cannot: {
      reason: "Go programs make system calls themselves, also when they are linked dynamically",
      instead: relay,
    },
  },
  small("io_uring, with a plain bind", "uring.c", { run: "exec ./server accept" }),
  small("io_uring bind", "uring.c", {
    cannot: {
      reason: "IORING_OP_BIND runs in the kernel without any call that a library could take over",
      instead:
        "turn io_uring off in the program's settings (for example UV_USE_IO_URING=0), " + instead,
    },
  }),
  small("a set-user-ID program", "server.c", {
    prepare: `${compile("server.c")} && chmod 755 . && chmod 4755 server`,
    run: "exec setpriv --reuid=65534 --regid=65534 --clear-groups ./server",
    cannot: {
      reason: "the dynamic loader ignores LD_PRELOAD for set-user-ID programs",
      instead: "start it as the user it would become, without the bit",
    },
  }),
];
