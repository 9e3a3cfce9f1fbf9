import { worded } from "@xsocket/xbind-native";
import type { XSocketStep } from "./error.ts";

/** What a code means at a step, and what helps. */
export type Explanation = readonly [found: string, remedy: string];
type Explanations = Partial<Record<XSocketStep, Record<string, Explanation>>>;

const NO_MEMORY = [
  "the server, or the system that it is on, has no memory left for a socket",
  "Free some there, or raise the limit of the server's cgroup (MemoryMax=).",
] as const;

const NO_DESCRIPTOR = [
  "no descriptor is left in this process",
  "Close some sockets, or raise the limit of open files (ulimit -n).",
] as const;

/* A seccomp filter of systemd or firejail forbids them. */
const NO_UNIX = [
  "this process is not allowed to make UNIX sockets",
  "Allow AF_UNIX in RestrictAddressFamilies= of its unit, or in its seccomp filter.",
] as const;

const NO_INTERFACE = [
  "the target namespace has no interface of that name",
  "Give a scope (fe80::1%eth0) of the target namespace: ip link lists them there.",
] as const;

/* Bun waits with an epoll set, and so do we. */
const NO_WATCH = [
  "the kernel has no room to wait for one more descriptor of this user",
  "Close what is not needed, or raise fs.epoll.max_user_watches (sysctl).",
] as const;

/**
 * The explanations by step and code. A code may have its own row for abstract names, for a path that begins with "~/", for
 * a URL, and for a path at which there is no socket. docs/errors.md has the same texts, with SERVER for the server.
 *
 * @param server the control socket, quoted for a shell
 */
export const explanations = (server: string): Explanations => ({
  options: {
    EINVAL: ["an argument is wrong, as the message says", "Give it as the message says."],
    ENOTSUP: [
      "the option would use another socket than that of the target namespace",
      "Do what the message says instead.",
    ],
    EAFNOSUPPORT: [
      "the host has no address of the socket's or its peer's IP version",
      "Give one, or use a socket of the other IP version.",
    ],
    ENAMETOOLONG: [
      "the path does not fit a UNIX socket address of 108 bytes",
      "Use a shorter path.",
    ],
    EBADF: [
      "the socket was closed, or its descriptor was taken",
      "Use it before close() and take(), and inside the block of its using.",
    ],
  },
  reach: {
    ENOENT: [
      "there is no such control socket",
      `Start a server with "xsocket serve ${server}" in the target namespace, or name its control socket${worded(" with via")}. If it runs, a container may not have its directory: mount that.`,
    ],
    "ENOENT, ~/": [
      "there is no such control socket: only a shell replaces the ~",
      "Give an absolute path, with homedir() of node:os in the place of the ~.",
    ],
    "ENOENT, URL": [
      "there is no such control socket: what was given is a URL",
      "Give the path, or @name, alone: without unix:, file:// or the like.",
    ],
    ECONNREFUSED: [
      "no server listens there",
      `The server is gone: start it again with "xsocket serve ${server}" in the target namespace. If it runs, a container may see the socket of an earlier start: mount its directory, not the file.`,
    ],
    "ECONNREFUSED, no socket": [
      "what is there is not a socket",
      `Name the control socket of an xsocket server${worded(" with via")}.`,
    ],
    "ECONNREFUSED, @name": [
      "nobody listens at this abstract name in this network namespace",
      `Start a server with "xsocket serve ${server}" in this network namespace, or name a path${worded(" with via")}: an abstract name cannot be reached from another namespace.`,
    ],
    EACCES: [
      "permission to open it is denied",
      `Join the group of the control socket, let this user into its directory, or have the server started with --group or --mode: "xsocket doctor ${server}" says which.`,
    ],
    "EACCES, @name": [
      "this abstract name is held by a user who is neither root nor yourself",
      "As root see who listens there with ss -xlp. If that server is to be trusted, set XSOCKET_ANY_SERVER=1.",
    ],
    ENOTDIR: [
      "a part of the path is not a directory",
      `Name the control socket of an xsocket server${worded(" with via")}.`,
    ],
    ELOOP: [
      "the symbolic links in the path form a loop",
      `Repair the links (namei ${server} shows them), or name the control socket of an xsocket server${worded(" with via")}.`,
    ],
    EPERM: [
      "the sandbox of this process forbids it",
      "Let its seccomp filter allow socket and connect. Where a Landlock scope keeps it from abstract names, name a path.",
    ],
    EAFNOSUPPORT: NO_UNIX,
    EOPNOTSUPP: NO_UNIX,
    EPROTOTYPE: [
      "the socket there is another program's",
      `Name the control socket of an xsocket server${worded(" with via")}.`,
    ],
    EMFILE: NO_DESCRIPTOR,
    ENFILE: [
      "the system has no room for more open files",
      "Close some, or raise fs.file-max (sysctl).",
    ],
    ETIMEDOUT: [
      "the server did not accept the connection in time",
      `Check whether the server is stopped or overloaded${worded(", or give a larger timeoutMs")}.`,
    ],
  },
  ask: {
    EPERM: [
      "the server's policy refuses this kind of socket to this user, a quota is used up, or the server is not allowed to make it",
      "The server's log says which, and names the rule. A server that has no policy allows only IPv4 and IPv6 sockets of type stream and dgram.",
    ],
    "EPERM, @name": [
      "the server's policy refuses this kind of socket to this user, a quota is used up, or the server is not allowed to make it",
      "The server's log says which, and names the rule. A server that has no policy serves at an abstract name only root and its own user: let others in with --allow-user, or have the server listen at a path.",
    ],
    EACCES: [
      "the server is not allowed to make this kind of socket, or SELinux keeps it from this program",
      "For ping (icmp, icmpv6) let net.ipv4.ping_group_range of the target namespace include a group of the server; under SELinux let the server make such a socket and this program use it, as ausearch -m avc names them.",
    ],
    ETIMEDOUT: [
      "the server did not answer in time",
      `Check whether the server is stopped or overloaded, or cannot start (its log says why)${worded(", or give a larger timeoutMs")}.`,
    ],
    ECONNRESET: [
      "the server closed the connection without an answer",
      "The server was stopped, or this program was too slow: its log says which.",
    ],
    EBADMSG: [
      "the answer is malformed, or what came with it is not a fresh socket of the kind that was asked for",
      `Check that an xsocket server, and nothing else, listens at ${server}.`,
    ],
    EAFNOSUPPORT: [
      "the target namespace has no sockets of this family, or the server is not allowed to make them",
      "Ask for another family, or allow this one in RestrictAddressFamilies= of the server's unit.",
    ],
    EPROTONOSUPPORT: [
      "the kernel has no such protocol for this type of socket",
      "Ask for protocol 0, or one that fits the type.",
    ],
    ESOCKTNOSUPPORT: ["the kernel has no such type of socket", "Ask for stream or dgram."],
    EINVAL: ["the kernel has no such socket", "Check that domain, type and protocol fit together."],
    ECANCELED: ["the session was closed", "Make a new Session, or close it later."],
    EMFILE: [
      "no descriptor is left in this process or in the server, or this user has as many connections to it as one user may have",
      `Close some sockets${worded(", use a Session")}, or raise the limit of open files (ulimit -n), or --max-connections-per-user of the server.`,
    ],
    ENFILE: [
      "the server has no room for more connections, or the system for more open files",
      `Try again later${worded(", use a Session")}, or have the server started with a larger --max-connections.`,
    ],
    ETOOMANYREFS: [
      "too many sockets are on their way and not yet received",
      `Ask for fewer at once${worded(", use a Session")}, or have the server started with a larger --max-in-flight-per-user.`,
    ],
    ENOBUFS: NO_MEMORY,
    ENOMEM: NO_MEMORY,
    ENOSPC: NO_WATCH,
  },
  bind: {
    EADDRINUSE: [
      "another socket of the target namespace has this address",
      "Stop the other program or choose another port.",
    ],
    EADDRNOTAVAIL: [
      "the target namespace has no such address",
      "Give an address of an interface of the target namespace, or none.",
    ],
    ENODEV: NO_INTERFACE,
    EACCES: [
      "this process is not allowed to bind the port there",
      "Use a port from 1024 on, or give this process CAP_NET_BIND_SERVICE over the target namespace.",
    ],
    EPERM: [
      "the server's unit denies the port",
      "Use a port that is in SocketBindAllow= of that unit.",
    ],
    EINVAL: [
      "a link-local address needs its interface",
      "Add that of the target namespace, as in fe80::1%eth0.",
    ],
  },
  listen: {
    EADDRINUSE: [
      "another socket of the target namespace listens there",
      "Stop the other program or choose another port.",
    ],
    ECANCELED: [
      "the server that was to listen was closed meanwhile",
      "Close it later, or call nodeListen again.",
    ],
  },
  connect: {
    ECANCELED: [
      "the agent or fetch that needed it was disposed of",
      "Dispose of it once its requests are answered.",
    ],
    ENODEV: NO_INTERFACE,
    ECONNREFUSED: [
      "nothing listens at that address and port in the target namespace",
      "Start the peer, or check the port.",
    ],
    ENETUNREACH: [
      "the target namespace has no route to that address",
      "Look at its routes with ip route, or use another address.",
    ],
    EHOSTUNREACH: ["the peer cannot be reached from the target namespace", "Check peer and route."],
    EACCES: [
      "a route of the target namespace prohibits that address",
      "Look at its routes with ip route, or use another address.",
    ],
    EINVAL: [
      "a link-local address needs its interface; for another address, the route may be a blackhole",
      "Add that of the target namespace, as in fe80::1%eth0, or look at the routes there with ip route.",
    ],
    EADDRNOTAVAIL: [
      "the target namespace has no address, or no free port, to connect from, or localPort has a connection to that peer",
      "Look at its addresses with ip address, and at net.ipv4.ip_local_port_range, or choose another localPort.",
    ],
    EAFNOSUPPORT: [
      "the local address is of another IP version than the peer's",
      "Give one of the peer's IP version, or none.",
    ],
    ECONNRESET: ["the peer closed the connection at once", "See why in the peer's log."],
    ETIMEDOUT: [
      "the peer did not answer in time",
      "Check address, port and firewall of the target namespace, or give a larger timeoutMs.",
    ],
  },
  resolve: {
    ENOTFOUND: [
      "the name does not exist for the target namespace's name server",
      "Check the name, or give lookup or nameservers.",
    ],
    ECONNREFUSED: [
      "no name server runs at that address of the target namespace",
      "Give nameservers that the target namespace reaches, or lookup.",
    ],
    ENETUNREACH: [
      "the target namespace has no route to the name server",
      "Give nameservers that the target namespace reaches, or lookup.",
    ],
    ESERVFAIL: [
      "the name server reported a failure",
      "Ask another one with nameservers, or try again later.",
    ],
    EREFUSED: ["the name server refused to answer the target namespace", "Give other nameservers."],
    ETIMEDOUT: [
      "no name server answered in the target namespace in time",
      "Give nameservers that the target namespace reaches, or lookup.",
    ],
  },
  adopt: {
    EMFILE: NO_DESCRIPTOR,
    ENOSPC: NO_WATCH,
  },
});
