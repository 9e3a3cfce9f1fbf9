import { http, type Program } from "../program.ts";

const page = {
  ...http,
  files: {},
  client: "curl -s --max-time 5 http://$HOST:$PORT/page",
} as const;

/* A web server that stays inside, for relays to pass connections on to. */
const behind = (relay: string, place = "127.0.0.1") =>
  `printf 'a page\\n' > page; python3 -m http.server -b ${place} 8081 >/dev/null 2>&1 & until curl -gs http://${place.includes(":") ? `[${place}]` : place}:8081/ >/dev/null; do sleep 0.1; done; exec ${relay}`;

/* The page that comes through it is one of the program's own namespace. */
const shadowsocks = {
  packages: ["shadowsocks-libev", "curl", "python3"],
  unprivileged: true,
  port: 8388,
  client:
    "ss-local -s $HOST -p $PORT -l 1081 -k x -m aes-256-gcm >&2 & sleep 0.5; curl -s --max-time 4 --socks5-hostname 127.0.0.1:1081 http://127.0.0.1:8099/; kill $!",
  expect: /Directory listing/,
} as const;
const besidePage = "python3 -m http.server -b 127.0.0.1 8099 & exec";
const ssOptions = "-s 0.0.0.0 -p 8388 -k x -m aes-256-gcm -u -v --reuse-port";

const runI2pd = "exec i2pd --datadir $DIR --conf /dev/null --port 14567 --host $HOST --log=stdout";

/** Relays: they listen outside and connect to what is inside. */
export const relays: readonly Program[] = [
  {
    ...page,
    name: "redir",
    packages: ["redir", "python3"],
    run: behind("redir -n -l debug :8080 127.0.0.1:8081"),
  },
  {
    ...page,
    name: "pen",
    packages: ["pen", "python3"],
    run: behind("pen -f 8080 127.0.0.1:8081"),
  },
  {
    name: "pen, UDP",
    packages: ["pen", "socat"],
    run: "socat UDP-RECVFROM:8081,fork SYSTEM:'echo hello' & exec pen -f -d -U 8080 127.0.0.1:8081",
    port: 8080,
    kind: "udp",
    client: "echo x | socat -t 2 - UDP:$HOST:$PORT",
    expect: /hello/,
  },
  {
    ...page,
    name: "6tunnel, from IPv4 to IPv6",
    packages: ["6tunnel", "python3"],
    run: behind("6tunnel -v -d 8080 ::1 8081", "::1"),
  },
  {
    ...page,
    name: "Pound",
    packages: ["pound", "python3"],
    files: {
      "pound.cfg":
        "Daemon 0\nListenHTTP\n Address 0.0.0.0\n Port 8080\n Service\n  Backend\n   Address 127.0.0.1\n   Port 8081\n  End\n End\nEnd\n",
    },
    run: behind("pound -f $DIR/pound.cfg -p $DIR/pid"),
  },
  {
    ...page,
    name: "sslh, by select",
    packages: ["sslh", "python3"],
    run: behind(
      "sslh-select -f -p 0.0.0.0:8080 --http 127.0.0.1:8081 --user nobody --pidfile $DIR/pid -F/dev/null",
    ),
    dropsRoot: true,
  },
  {
    name: "nginx, stream over UDP, 2 workers",
    packages: ["nginx", "libnginx-mod-stream", "socat"],
    files: {
      "nginx.conf": `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 2;
pid @DIR@/pid;
error_log stderr info;
events { }
stream { server { listen 8080 udp reuseport; listen [::]:8080 udp reuseport; proxy_pass 127.0.0.1:8081; proxy_responses 1; } }
`,
    },
    run: "socat UDP-RECVFROM:8081,fork SYSTEM:'echo hello' & exec nginx -c $DIR/nginx.conf",
    port: 8080,
    kind: "udp",
    client: "echo x | socat -t 2 - UDP:$HOST:$PORT",
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "Privoxy",
    packages: ["privoxy", "curl"],
    unprivileged: true,
    files: { config: "listen-address :8118\nlogfile\ndebug 1024\ntoggle 0\n" },
    run: "exec privoxy --no-daemon config",
    port: 8118,
    client: "curl -s --max-time 5 -x http://$HOST:$PORT http://config.privoxy.org/",
    expect: /Privoxy/,
  },
  {
    name: "Apt-Cacher NG",
    packages: ["apt-cacher-ng", "curl"],
    prepare: "mkdir cache log",
    run: "exec apt-cacher-ng -c /etc/apt-cacher-ng ForeGround=1 Port=3142 CacheDir=$DIR/cache LogDir=$DIR/log SocketPath=$DIR/sock PidFile=$DIR/pid",
    port: 3142,
    client: "curl -s --max-time 5 http://$HOST:$PORT/",
    expect: /Apt-Cacher NG/,
  },
  {
    name: "PgBouncer, SO_REUSEPORT",
    packages: ["pgbouncer", "postgresql-client"],
    unprivileged: true,
    files: {
      "pgbouncer.ini":
        "[databases]\nx = host=127.0.0.1\n[pgbouncer]\nlisten_addr = *\nlisten_port = 6432\nso_reuseport = 1\nauth_type = any\nunix_socket_dir =\nadmin_users = x\n",
    },
    run: "exec pgbouncer pgbouncer.ini",
    port: 6432,
    client: "psql -Atc 'SHOW VERSION' \"host=$HOST port=$PORT user=x dbname=pgbouncer\"",
    expect: /PgBouncer/,
    logsPeerTo: "output",
  },
  {
    name: "ser2net",
    packages: ["ser2net", "netcat-openbsd"],
    files: {
      "ser2net.yaml": "connection: &x\n  accepter: tcp,0.0.0.0,2323\n  connector: echo\n",
    },
    prepare: "ip address add 10.0.0.1/32 dev lo",
    remark:
      "looks up its addresses with AI_ADDRCONFIG: give its namespace an address besides those of loopback",
    run: "exec ser2net -n -d -c $DIR/ser2net.yaml -P $DIR/pid",
    port: 2323,
    client: "(echo hello; sleep 1) | nc -w 2 $HOST $PORT",
    expect: /hello/,
  },
  {
    name: "ZNC",
    packages: ["znc", "netcat-openbsd"],
    unprivileged: true,
    files: {
      "znc.conf":
        "Version = 1.9.1\n<Listener l>\nPort = 6697\nIPv4 = true\nIPv6 = true\nSSL = false\n</Listener>\n<User x>\nPass = plain#x\nAdmin = true\n</User>\n",
    },
    prepare: "mkdir configs && cp znc.conf configs",
    run: "exec znc --foreground --datadir $DIR",
    port: 6697,
    client: "printf 'NICK x\\r\\nUSER x x x x\\r\\n' | nc -w 2 $HOST $PORT",
    expect: /464/,
  },
  {
    name: "Quassel core, Qt",
    packages: ["quassel-core", "netcat-openbsd"],
    unprivileged: true,
    run: "exec quasselcore --configdir=$DIR --listen=0.0.0.0,:: --port=4242",
    port: 4242,
    client: "printf '\\102\\263\\077\\000\\200\\000\\000\\002' | nc -w 2 $HOST $PORT | od -An -tx1",
    expect: /00 00 00 02/,
    logsPeerTo: "output",
  },
  {
    ...shadowsocks,
    name: "Shadowsocks, ss-server as a user without privilege",
    run: `${besidePage} ss-server ${ssOptions}`,
    cannot: {
      reason:
        "its file has capabilities, so for a user without them the dynamic loader ignores LD_PRELOAD: the port opens in its own namespace",
      instead:
        "start a copy made with cp, as in the next line: it has none, and needs none above port 1023",
    },
  },
  {
    ...shadowsocks,
    name: "Shadowsocks, a copy of ss-server as such a user",
    run: `cp $(command -v ss-server) copy; ${besidePage} ./copy ${ssOptions}`,
  },
  {
    name: "trojan",
    packages: ["trojan", "openssl"],
    unprivileged: true,
    files: {
      "trojan.json":
        '{"run_type":"server","local_addr":"0.0.0.0","local_port":4433,"remote_addr":"127.0.0.1","remote_port":80,"password":["x"],"log_level":0,"ssl":{"cert":"cert","key":"key"},"tcp":{"reuse_port":true,"fast_open":true,"fast_open_qlen":20}}',
    },
    prepare: "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=hello 2>&1",
    run: "exec trojan -c trojan.json",
    port: 4433,
    client: "openssl s_client -connect $HOST:$PORT </dev/null 2>&1",
    expect: /CN ?= ?hello/,
    logsPeerTo: "output",
  },
  {
    name: "i2pd, the console",
    packages: ["i2pd", "curl"],
    unprivileged: true,
    run: `${runI2pd} --http.enabled=1 --http.address=0.0.0.0 --http.port=7070 --http.strictheaders=0`,
    port: 7070,
    ports: "14567",
    client: "curl -s --max-time 5 http://$HOST:$PORT/",
    expect: /I2P/,
  },
  {
    name: "i2pd, the peers' port",
    packages: ["i2pd", "netcat-openbsd"],
    unprivileged: true,
    run: runI2pd,
    port: 14567,
    client: "nc -vz -w 2 $HOST $PORT 2>&1",
    expect: /succeeded/,
  },
  {
    name: "websockify",
    packages: ["websockify", "curl"],
    unprivileged: true,
    run: "exec websockify -v 0.0.0.0:6080 127.0.0.1:9",
    port: 6080,
    client:
      "curl -si --max-time 2 -H 'Upgrade: websocket' -H 'Connection: Upgrade' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' http://$HOST:$PORT/",
    expect: /101/,
    logsPeerTo: "output",
  },
];
