import type { Program } from "../program.ts";

const dig = "dig +time=2 +tries=1 +short @$HOST -p $PORT host.example";
const zone = `$TTL 60
@ SOA ns.example. root.example. 1 60 60 60 60
@ NS ns.example.
ns A 192.0.2.53
host A 192.0.2.99
`;

const dns = { port: 5353, kind: "udp", client: dig, expect: /192\.0\.2\.99/ } as const;

/** Name servers. */
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
    ...dns,
    name: "gdnsd, after it is replaced with another port",
    packages: ["gdnsd", "bind9-dnsutils"],
    files: {
      config:
        "options => { listen => [ 0.0.0.0:5354 ], run_dir => @DIR@/run, state_dir => @DIR@/run }\n",
      zone,
    },
    prepare: "mkdir run zones; mv zone zones/example",
    run: "gdnsd -c $DIR start & until gdnsdctl -c $DIR status 2>/dev/null; do sleep 0.1; done; sed -i s/5354/5353/ config; gdnsdctl -c $DIR replace; while gdnsdctl -c $DIR status >/dev/null; do sleep 1; done",
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
  {
    ...dns,
    name: "PowerDNS",
    packages: ["pdns-server", "pdns-backend-bind", "bind9-dnsutils"],
    files: {
      "pdns.conf": `
launch=bind
bind-config=@DIR@/named.conf
local-port=5353
local-address=0.0.0.0, ::
socket-dir=.
daemon=no
guardian=no
setuid=
setgid=
receiver-threads=2
reuseport=yes
`,
      "named.conf": 'zone "example" { type primary; file "@DIR@/zone"; };',
      zone,
    },
    run: "exec pdns_server --config-dir=$DIR",
  },
  {
    ...dns,
    name: "PowerDNS Recursor",
    packages: ["pdns-recursor", "bind9-dnsutils"],
    files: {
      "recursor.yml": `
incoming:
  listen: ['0.0.0.0:5353']
  allow_from: ['0.0.0.0/0']
  reuseport: true
recursor:
  threads: 2
  socket_dir: @DIR@
  export_etc_hosts: true
  etc_hosts_file: @DIR@/hosts
  daemon: false
  security_poll_suffix: ''
`,
      hosts: "192.0.2.99 host.example\n",
    },
    run: "exec pdns_recursor --config-dir=$DIR",
  },
  {
    ...dns,
    name: "dnsdist, two sockets on one port",
    packages: ["dnsdist", "bind9-dnsutils"],
    files: {
      "dnsdist.lua": `
setLocal("0.0.0.0:5353", {reusePort=true})
addLocal("0.0.0.0:5353", {reusePort=true})
setACL("0.0.0.0/0")
addAction("host.example", SpoofAction({"192.0.2.99"}))
setSecurityPollSuffix("")
newServer("127.0.0.1:9")
`,
    },
    run: "exec dnsdist --supervised --disable-syslog -C $DIR/dnsdist.lua",
  },
  {
    ...dns,
    name: "Avahi, multicast on lo",
    packages: ["avahi-daemon", "bind9-dnsutils"],
    files: {
      "avahi.conf":
        "[server]\nhost-name=hello\nenable-dbus=no\nallow-interfaces=lo\nuse-ipv6=no\n[rlimits]\n",
    },
    run: "ip link set lo multicast on; exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f $DIR/avahi.conf --no-proc-title",
    client: "dig +time=2 +tries=1 +short @$HOST -p $PORT hello.local",
    expect: /127|192/,
    remark:
      "it takes names and addresses from the interfaces of its own namespace, and joins groups on the target's interfaces of the same numbers",
  },
];
