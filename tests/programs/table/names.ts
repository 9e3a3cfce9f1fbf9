import type { Program } from "../program.ts";

const dig = "dig +time=2 +tries=1 +short @$HOST -p $PORT host.example";
const zone = `$TTL 60
@ SOA ns.example. root.example. 1 60 60 60 60
@ NS ns.example.
ns A 192.0.2.53
host A 192.0.2.99
`;

/** Servers of names. */
export const names: readonly Program[] = [
  {
    name: "dnsmasq",
    packages: ["dnsmasq-base", "bind9-dnsutils"],
    run: "exec dnsmasq -d -C /dev/null --port=5353 --no-resolv --no-hosts --address=/host.example/192.0.2.99 --log-queries=extra --user=root",
    port: 5353,
    kind: "udp",
    client: dig,
    expect: /192\.0\.2\.99/,
    logsPeerTo: "output",
    quick: true,
  },
  {
    name: "dnsmasq, over TCP, --bind-interfaces --listen-address=",
    packages: ["dnsmasq-base", "bind9-dnsutils"],
    run: "exec dnsmasq -d -C /dev/null --port=5353 --no-resolv --no-hosts --address=/host.example/192.0.2.99 --log-queries=extra --user=root --bind-interfaces --listen-address=$HOST",
    port: 5353,
    client: `${dig} +tcp`,
    expect: /192\.0\.2\.99/,
    logsPeerTo: "output",
  },
  {
    name: "dnsmasq, over TCP, wildcard address",
    packages: ["dnsmasq-base", "bind9-dnsutils"],
    run: "exec dnsmasq -d -C /dev/null --port=5353 --no-resolv --no-hosts --address=/host.example/192.0.2.99 --user=root",
    port: 5353,
    client: `${dig} +tcp`,
    expect: /192\.0\.2\.99/,
    cannot: {
      reason:
        "it closes connections to addresses that it does not find among those of its own namespace",
      instead: "--bind-interfaces with --listen-address= and the target's address",
    },
  },
  {
    name: "dnsmasq, --bind-interfaces alone",
    packages: ["dnsmasq-base", "bind9-dnsutils"],
    run: "exec dnsmasq -d -C /dev/null --port=5353 --no-resolv --no-hosts --address=/host.example/192.0.2.99 --bind-interfaces --user=root",
    port: 5353,
    kind: "udp",
    client: dig,
    expect: /192\.0\.2\.99/,
    cannot: {
      reason: "it lists the addresses of its own namespace and binds each of them alone",
      instead:
        "add --listen-address= with the target's address, or let it bind the wildcard address",
    },
  },
  {
    name: "NSD",
    packages: ["nsd", "bind9-dnsutils"],
    files: {
      "nsd.conf": `
server:
  ip-address: 0.0.0.0@5353
  ip-address: ::0@5353
  username: ""
  chroot: ""
  zonesdir: "."
  pidfile: ""
  database: ""
  xfrdfile: "xfrd"
  zonelistfile: "zonelist"
  xfrdir: "."
  reuseport: yes
  server-count: 2
remote-control:
  control-enable: no
zone:
  name: example
  zonefile: zone
`,
      zone,
    },
    run: "exec nsd -d -c nsd.conf",
    port: 5353,
    kind: "udp",
    client: dig,
    expect: /192\.0\.2\.99/,
  },
  {
    name: "Knot DNS",
    packages: ["knot", "bind9-dnsutils"],
    files: {
      "knot.conf": `
server:
  rundir: "."
  listen: [ "0.0.0.0@5353", "::@5353" ]
  udp-workers: 2
database:
  storage: "."
zone:
  - domain: example
    file: zone
    storage: "."
`,
      zone,
    },
    run: "exec knotd -c knot.conf",
    port: 5353,
    kind: "udp",
    client: dig,
    expect: /192\.0\.2\.99/,
  },
  {
    name: "BIND, libuv",
    packages: ["bind9", "bind9-dnsutils"],
    files: {
      "named.conf": `
options { directory "."; listen-on port 5353 { 127.0.0.1; }; listen-on-v6 port 5353 { any; }; pid-file none; session-keyfile none; recursion no; };
controls { };
zone example { type primary; file "zone"; };
`,
      zone,
    },
    run: "exec named -g -c named.conf",
    port: 5353,
    kind: "udp",
    client: dig,
    expect: /192\.0\.2\.99/,
    cannot: {
      reason: "it lists the addresses of its own namespace and binds each of them",
      instead:
        "run it where its interfaces are, or use NSD, Knot DNS or dnsmasq, which bind the wildcard address",
    },
  },
];
