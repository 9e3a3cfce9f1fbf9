import { http, type Program } from "../program.ts";

const keys =
  "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout key -out cert 2>&1 && cat key cert > pem && chmod 600 pem";

const backend = "socat TCP4-LISTEN:9999,reuseaddr,fork,bind=127.0.0.1 SYSTEM:'cat page; sleep 1' &";

const upgradeNghttpx = `
$(command -v nghttpx) --conf=$DIR/conf -b 127.0.0.1,9999 --pid-file=$DIR/pid --accesslog-file=/dev/stdout &
until [ -s pid ]; do sleep 0.1; done
old=$(cat pid); sed -i s/8081/8080/ conf
while kill -USR2 $old; do sleep 1; done # it is ended by the other one
while kill -0 $(cat pid); do sleep 1; done
`;

/** TLS, HTTP/2 and HTTP/3. */
export const tls: readonly Program[] = [
  {
    ...http,
    name: "stunnel",
    packages: ["stunnel4", "openssl", "curl"],
    files: {
      page: "HTTP/1.0 200 OK\r\n\r\na page\n",
      "stunnel.conf": `
foreground = yes
syslog = no
pid =
[page]
accept = :::8080
exec = /bin/cat
execArgs = cat page
cert = pem
`,
    },
    prepare: keys,
    run: "exec stunnel stunnel.conf",
    client: "curl -sk --http0.9 --max-time 5 https://$HOST:$PORT/page",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Hitch, two workers",
    packages: ["hitch", "openssl", "socat", "curl"],
    files: { page: "HTTP/1.0 200 OK\r\n\r\na page\n" },
    prepare: keys,
    run: `${backend} exec hitch --frontend='[*]:8080' --backend='[127.0.0.1]:9999' --user=nobody --workers=2 pem`,
    client: "curl -sk --http0.9 --max-time 5 https://$HOST:$PORT/page",
  },
  {
    ...http,
    name: "nghttpd, HTTP/2",
    packages: ["nghttp2-server", "nghttp2-client"],
    run: "exec nghttpd --no-tls -n 2 -d $DIR 8080",
    client: "nghttp http://$HOST:$PORT/page",
  },
  {
    ...http,
    name: "nghttpx, HTTP/2, after USR2 with another port",
    packages: ["nghttp2-proxy", "nghttp2-client", "socat"],
    files: { page: "HTTP/1.0 200 OK\r\n\r\na page\n", conf: "frontend=0.0.0.0,8081;no-tls\n" },
    run: `${backend} ${upgradeNghttpx}`,
    client: "nghttp http://$HOST:$PORT/page",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "nginx, HTTP/3, reuseport, 2 workers",
    packages: ["nginx-light", "openssl", "curl"],
    files: {
      "nginx.conf": `
daemon off; pid nginx.pid; error_log error.log; user root; worker_processes 2;
events {}
http {
  access_log access.log; root .; client_body_temp_path body;
  ssl_certificate cert; ssl_certificate_key key;
  server { listen 8443 quic reuseport; listen [::]:8443 quic reuseport; location / { return 200 "a page\\n"; } }
}`,
    },
    prepare: keys,
    run: "exec nginx -p $DIR -c nginx.conf -e error.log",
    port: 8443,
    kind: "udp",
    client: "curl -sk --http3-only --max-time 5 https://$HOST:$PORT/page",
    logsPeerTo: "access.log",
  },
  {
    name: "QUIC, ngtcp2",
    packages: ["ngtcp2-server", "ngtcp2-client", "openssl"],
    files: { "index.html": "hello\n" },
    prepare: keys,
    run: "exec gtlsserver -d $DIR '*' 4433 key cert",
    port: 4433,
    kind: "udp",
    client: "gtlsclient --exit-on-all-streams-close $HOST $PORT https://x/index.html 2>&1",
    expect: /hello/,
  },
  {
    name: "OpenSSL, DTLS",
    packages: ["openssl"],
    prepare: keys,
    run: "sleep 100 | exec openssl s_server -dtls -listen -accept 4433 -key key -cert cert -quiet",
    port: 4433,
    kind: "udp",
    client: "sleep 1 | timeout 4 openssl s_client -dtls -connect $HOST:$PORT 2>&1",
    expect: /BEGIN CERTIFICATE/,
  },
];
