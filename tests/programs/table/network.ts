import type { Program } from "../program.ts";

/* An NTP request of a client, version 4; the answer's first byte has mode 4, that of a server. */
const ntp =
  "(printf '\\043'; head -c 47 /dev/zero) | socat -t 2 - UDP:$HOST:$PORT | od -An -tx1 -N 1";

const vpnClient = (proto: string) =>
  `timeout 4 openvpn --dev null --proto ${proto} --remote $HOST $PORT --nobind --secret key --cipher AES-256-CBC --persist-key --persist-tun --ping 1 --connect-retry 1 --verb 3`;

const vpn = {
  packages: ["openvpn"],
  prepare: "openvpn --genkey secret key",
  port: 1194,
  expect: /Peer Connection Initiated/,
  logsPeerTo: "output",
} as const;
const vpnServer =
  "exec openvpn --dev null --secret key --cipher AES-256-CBC --persist-key --persist-tun --ping 1 --verb 4 --user nobody --group nogroup --lport 1194";

/** Network services: clocks, tunnels and addresses. */
export const network: readonly Program[] = [
  {
    name: "chrony, NTP, in its seccomp filter",
    packages: ["socat", "libseccomp2", "libgnutls30t64"],
    unpacked: ["chrony"],
    files: {
      "chrony.conf":
        "port 1123\nlocal stratum 5\nallow all\ncmdport 0\nbindcmdaddress /\npidfile @DIR@/pid\ndriftfile @DIR@/drift\n",
    },
    run: "exec $UNPACKED/chrony/usr/sbin/chronyd -d -x -F 1 -u nobody -f $DIR/chrony.conf",
    port: 1123,
    kind: "udp",
    client: ntp,
    expect: /24/,
  },
  {
    ...vpn,
    name: "OpenVPN, UDP, drops root",
    run: `${vpnServer} --proto udp --multihome`,
    kind: "udp",
    client: vpnClient("udp"),
  },
  {
    ...vpn,
    name: "OpenVPN, TCP, drops root",
    run: `${vpnServer} --proto tcp-server`,
    client: vpnClient("tcp-client"),
  },
  {
    name: "knot-resolver",
    packages: ["knot-resolver", "bind9-dnsutils"],
    files: {
      "kresd.conf":
        "net.listen('0.0.0.0', 5353, { kind = 'dns' })\nmodules = { 'hints > iterate' }\nhints['host.example'] = '192.0.2.99'\ntrust_anchors.remove('.')\n",
    },
    run: "exec kresd -n -q -c $DIR/kresd.conf $DIR",
    port: 5353,
    kind: "udp",
    client: "dig +time=2 +tries=1 +short @$HOST -p $PORT host.example",
    expect: /192\.0\.2\.99/,
  },
  {
    name: "Unbound, four threads, SO_REUSEPORT",
    packages: ["unbound", "bind9-dnsutils"],
    files: {
      "unbound.conf":
        'server:\n interface: 0.0.0.0@5353\n interface: ::0@5353\n access-control: 0.0.0.0/0 allow\n num-threads: 4\n so-reuseport: yes\n chroot: ""\n directory: "."\n pidfile: ""\n username: ""\n use-syslog: no\n logfile: ""\n log-queries: yes\n local-data: "host.example. A 192.0.2.99"\n',
    },
    run: "exec unbound -d -c unbound.conf",
    port: 5353,
    kind: "udp",
    client: "dig +time=2 +tries=1 +short @$HOST -p $PORT host.example",
    expect: /192\.0\.2\.99/,
    logsPeerTo: "output",
  },
  {
    name: "ocserv",
    packages: ["ocserv", "curl", "openssl"],
    files: {
      "ocserv.conf":
        'auth = "plain[passwd=@DIR@/users]"\ntcp-port = 4433\nudp-port = 4433\nrun-as-user = nobody\nrun-as-group = nogroup\nsocket-file = @DIR@/sock\nserver-cert = @DIR@/cert.pem\nserver-key = @DIR@/key.pem\nisolate-workers = false\ndevice = vpns\nipv4-network = 192.168.7.0/24\npid-file = @DIR@/pid\nmax-clients = 4\n',
    },
    prepare:
      "touch users; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout key.pem -out cert.pem 2>/dev/null",
    run: "exec ocserv -f -d 3 -c $DIR/ocserv.conf",
    port: 4433,
    client: "curl -sk --max-time 5 https://$HOST:$PORT/",
    expect: /config-auth|form/,
    logsPeerTo: "output",
  },
  {
    name: "BIRD, BGP",
    packages: ["bird2", "netcat-openbsd"],
    files: {
      "bird.conf":
        'log stderr all;\ndebug protocols all;\nrouter id 192.0.2.1;\nprotocol device {}\nprotocol bgp x { local port 1179 as 65001; neighbor range 0.0.0.0/0 as 65002; multihop; dynamic name "d"; ipv4 { import all; export none; }; }\n',
    },
    run: "exec bird -f -c $DIR/bird.conf -s $DIR/control",
    port: 1179,
    // an OPEN message of AS 65002; the answer is one of AS 65001
    client:
      "(head -c 16 /dev/zero | tr '\\000' '\\377'; printf '\\000\\035\\001\\004\\375\\352\\000\\264\\300\\000\\002\\007\\000') | nc -w 2 $HOST $PORT | od -An -v -tx1 -w64",
    expect: /01 04 fd e9/,
    logsPeerTo: "output",
  },
  {
    name: "tinc",
    packages: ["tinc", "netcat-openbsd"],
    files: { "tinc.conf": "Name = hello\nDeviceType = dummy\nPort = 6550\n" },
    prepare:
      "mkdir hosts && touch hosts/hello && tincd -c $DIR -K2048 </dev/null && cp hosts/hello hosts/client",
    run: "exec tincd -D -d4 -c $DIR --pidfile=$DIR/pid",
    port: 6550,
    client: "printf '0 client 17\\n' | nc -w 2 $HOST $PORT",
    expect: /0 hello 17/,
    logsPeerTo: "output",
  },
  {
    name: "gpsd",
    packages: ["gpsd", "netcat-openbsd"],
    run: "exec gpsd -N -n -G -S 2947 -F $DIR/control -P $DIR/pid",
    port: 2947,
    client: "nc -d -w 2 $HOST $PORT",
    expect: /"class":"VERSION"/,
  },
  {
    name: "NTPsec",
    packages: ["socat"],
    unpacked: ["ntpsec"],
    files: { "ntp.conf": "restrict default\ntos orphan 5\n" },
    run: "exec $UNPACKED/ntpsec/usr/sbin/ntpd -n -c ntp.conf -p pid",
    port: 123,
    kind: "udp",
    client: ntp,
    expect: /[2e]4/,
    cannot: {
      reason:
        "it lists the addresses of its own namespace and binds each of them alone; what comes to its socket of the wildcard address it throws away",
      instead: "chrony",
    },
  },
  {
    name: "FRRouting, bgpd",
    packages: ["frr", "netcat-openbsd"],
    files: {
      "bgpd.conf":
        "hostname hello\nrouter bgp 65000\n no bgp ebgp-requires-policy\n bgp router-id 1.1.1.1\n neighbor @HOST@ remote-as 65001\n neighbor @HOST@ passive\n neighbor @HOST@ ebgp-multihop 255\n neighbor @HOST@ disable-connected-check\n",
    },
    prepare: "chmod 755 .",
    run: "exec /usr/lib/frr/bgpd -Z -S -n -p 1790 -P 0 -f $DIR/bgpd.conf -i $DIR/pid --vty_socket $DIR -l 0.0.0.0",
    port: 1790,
    client: "nc -w 2 $HOST $PORT </dev/null | od -An -tx1",
    expect: /ff ff ff ff/,
  },
  {
    name: "n2n, supernode",
    packages: ["n2n", "socat"],
    run: "exec supernode -f -l 7654 -v",
    port: 7654,
    kind: "udp",
    client: "echo hello | socat -t 1 - UDP:$HOST:$PORT; echo sent",
    expect: /sent/,
    logsPeerTo: "output",
  },
  {
    name: "xl2tpd",
    packages: ["xl2tpd", "socat"],
    files: {
      "xl2tpd.conf":
        "[global]\nport = 1701\n[lns default]\nip range = 10.0.0.2-10.0.0.9\nlocal ip = 10.0.0.1\n",
    },
    run: "exec xl2tpd -D -c xl2tpd.conf -p pid -C control",
    port: 1701,
    kind: "udp",
    // Start-Control-Connection-Request
    client:
      "printf '\\310\\002\\000\\066\\000\\000\\000\\000\\000\\000\\000\\000\\200\\010\\000\\000\\000\\000\\000\\001\\200\\010\\000\\000\\000\\002\\001\\000\\200\\012\\000\\000\\000\\003\\000\\000\\000\\003\\200\\010\\000\\000\\000\\007hi\\200\\010\\000\\000\\000\\011\\000\\001' | socat -t 2 - UDP:$HOST:$PORT | od -An -tx1",
    expect: /c8 02/,
  },
];
