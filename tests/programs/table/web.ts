import { http, type Program } from "../program.ts";

const nginx = (port: number, options = "", top = "") => `
daemon off; pid nginx.pid; error_log error.log; user root; ${top}
events {}
http {
  access_log access.log; root .; client_body_temp_path body;
  server { listen ${port} ${options}; listen [::]:${port} ${options}; location / { return 200 "a page\\n"; } }
}`;

const runNginx = "exec nginx -p $DIR -c nginx.conf -e error.log";

const haproxy = (ports: string) => `
global
  log stderr format raw local0
defaults
  mode http
  log global
  option httplog
  timeout client 5s
  timeout connect 5s
  timeout server 5s
frontend web
  ${ports}
  http-request return status 200 content-type text/plain string "a page\\n"
`;

const apache = (mpm: string) => `
LoadModule mpm_${mpm}_module /usr/lib/apache2/modules/mod_mpm_${mpm}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
ServerName localhost
ServerRoot \${DIR}
PidFile \${DIR}/pid
Listen 8080
User nobody
Group nogroup
DocumentRoot \${DIR}
ErrorLog \${DIR}/error.log
LogFormat "%h" short
CustomLog \${DIR}/access.log short
`;

/** HTTP servers and proxies. */
export const web: readonly Program[] = [
  {
    ...http,
    name: "nginx",
    packages: ["nginx-light", "curl"],
    files: { "nginx.conf": nginx(8080) },
    run: runNginx,
    logsPeerTo: "access.log",
    quick: true,
  },
  {
    ...http,
    name: "nginx, reuseport, 4 workers",
    packages: ["nginx-light"],
    files: { "nginx.conf": nginx(8080, "reuseport", "worker_processes 4;") },
    run: runNginx,
    logsPeerTo: "access.log",
  },
  {
    ...http,
    name: "nginx, after a reload that adds a port",
    packages: ["nginx-light"],
    files: { "nginx.conf": nginx(8080) },
    run: runNginx,
    reload: { files: { "nginx.conf": nginx(8081) }, signal: "SIGHUP", port: 8081 },
    logsPeerTo: "access.log",
  },
  {
    ...http,
    name: "haproxy",
    packages: ["haproxy"],
    files: { "haproxy.cfg": haproxy("bind :8080") },
    run: "exec haproxy -db -f haproxy.cfg",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "haproxy, master and workers, after a reload",
    packages: ["haproxy"],
    files: { "haproxy.cfg": haproxy("bind :8080") },
    run: "exec haproxy -W -f haproxy.cfg -S $DIR/master.sock",
    reload: {
      files: { "haproxy.cfg": haproxy("bind :8080\n  bind :8081") },
      after: /Loading success/,
      signal: "SIGUSR2",
      port: 8081,
    },
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "lighttpd",
    packages: ["lighttpd"],
    files: {
      ...http.files,
      "lighttpd.conf": `
server.port = 8080
server.document-root = env.DIR
server.modules = ( "mod_accesslog" )
accesslog.filename = env.DIR + "/access.log"
`,
    },
    run: "exec lighttpd -D -f lighttpd.conf",
    logsPeerTo: "access.log",
  },
  {
    ...http,
    name: "Apache, prefork",
    packages: ["apache2-bin"],
    files: { ...http.files, "apache.conf": apache("prefork") },
    run: "exec apache2 -DFOREGROUND -f $DIR/apache.conf",
    logsPeerTo: "access.log",
  },
  {
    ...http,
    name: "Apache, event",
    packages: ["apache2-bin"],
    files: { ...http.files, "apache.conf": apache("event") },
    run: "exec apache2 -DFOREGROUND -f $DIR/apache.conf",
    logsPeerTo: "access.log",
  },
  {
    ...http,
    name: "Squid",
    packages: ["squid"],
    files: {
      "squid.conf": `
http_port 8080
http_access deny all
cache deny all
access_log stdio:access.log
cache_log /dev/null
pid_filename none
logfile_rotate 0
pinger_enable off
shutdown_lifetime 0 seconds
`,
    },
    unprivileged: true,
    run: "exec squid --foreground -f squid.conf",
    expect: /ERR_/,
    logsPeerTo: "access.log",
  },
  {
    ...http,
    name: "Varnish",
    packages: ["varnish"],
    files: {
      "page.vcl": `vcl 4.1;
backend none none;
sub vcl_recv { return (synth(200, "a page")); }`,
    },
    run: "exec varnishd -F -n $DIR/work -a :8080 -f $DIR/page.vcl -s malloc,8m -j none",
  },
  {
    ...http,
    name: "tinyproxy",
    packages: ["tinyproxy"],
    files: { "tinyproxy.conf": "Port 8080\nTimeout 5\nMaxClients 5\nLogLevel Connect\n" },
    run: "exec tinyproxy -d -c tinyproxy.conf",
    client: "curl -s --max-time 5 -x http://$HOST:$PORT http://tinyproxy.stats/ ",
    expect: /tinyproxy/i,
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "webfsd",
    packages: ["webfs"],
    run: "exec webfsd -F -p 8080 -r $DIR -l $DIR/access.log -u nobody -g nogroup",
  },
  {
    ...http,
    name: "mini-httpd",
    packages: ["mini-httpd"],
    run: "exec mini_httpd -D -p 8080 -d $DIR -u nobody",
  },
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
    prepare:
      "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout key -out cert 2>&1 && cat key cert > pem && chmod 600 pem",
    run: "exec stunnel stunnel.conf",
    client: "curl -sk --http0.9 --max-time 5 https://$HOST:$PORT/page",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "uWSGI",
    packages: ["uwsgi-core", "uwsgi-plugin-python3"],
    files: {
      "app.py": `
def application(env, start):
    start("200 OK", [])
    return [b"a page from " + env["REMOTE_ADDR"].encode()]
`,
    },
    run: "exec uwsgi --plugin python3 --http-socket :8080 --wsgi-file app.py --processes 2 --master --need-app",
    logsPeerTo: "output",
  },
];
