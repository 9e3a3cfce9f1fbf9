import { http, type Program } from "../program.ts";

const page = {
  ...http,
  files: {},
  client: "curl -s --max-time 5 http://$HOST:$PORT/page",
} as const;

/* A web server that stays inside, for relays to pass connections on to. */
const behind = (relay: string, place = "127.0.0.1") =>
  `printf 'a page\\n' > page; python3 -m http.server -b ${place} 8081 >/dev/null 2>&1 & until curl -gs http://${place.includes(":") ? `[${place}]` : place}:8081/ >/dev/null; do sleep 0.1; done; exec ${relay}`;

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
pid DIR/pid;
error_log stderr info;
events { }
stream { server { listen 8080 udp reuseport; listen [::]:8080 udp reuseport; proxy_pass 127.0.0.1:8081; proxy_responses 1; } }
`,
    },
    prepare: "sed -i s,DIR,$DIR, nginx.conf",
    run: "socat UDP-RECVFROM:8081,fork SYSTEM:'echo hello' & exec nginx -c $DIR/nginx.conf",
    port: 8080,
    kind: "udp",
    client: "echo x | socat -t 2 - UDP:$HOST:$PORT",
    expect: /hello/,
    logsPeerTo: "output",
  },
];
