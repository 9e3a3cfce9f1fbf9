import { http, type Program } from "../program.ts";

const nginx = (port: number, options = "", top = "") => `
daemon off; pid nginx.pid; error_log error.log; user root; ${top}
events {}
http {
  access_log access.log; root .; client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server { listen ${port} ${options}; listen [::]:${port} ${options}; location / { return 200 "a page\\n"; } }
}`;

const runNginx = "exec nginx -p $DIR -c nginx.conf -e error.log";

/* Other configuration is read by the program of the upgrade, whose parent has ended by then. */
const upgradeNginx = `
$(command -v nginx) -p $DIR -c nginx.conf -e error.log
await() { until [ "$@" ]; do sleep 0.1; done; }
# a signal that comes before it waits for signals is not acted upon until the next one
await -s nginx.pid; old=$(cat nginx.pid)
until [ -s nginx.pid.oldbin ]; do kill -USR2 $old; sleep 0.1; done
await -s nginx.pid; kill -QUIT $old
await ! -e nginx.pid.oldbin; sed -i s/8080/8081/ nginx.conf
while kill -HUP $(cat nginx.pid); do sleep 1; done
`;

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

const apache = (mpm: string, more = "") => `
LoadModule mpm_${mpm}_module /usr/lib/apache2/modules/mod_mpm_${mpm}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
ServerName localhost
ServerRoot \${DIR}
PidFile \${DIR}/pid
Listen 8080
${more}
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
    name: "nginx, after USR2 and a reload that adds a port",
    packages: ["nginx-light"],
    files: {
      "nginx.conf": nginx(8080, "", "env LD_PRELOAD; env XBIND; env XSOCKET;").replace(
        "daemon off;",
        "", // with which it ignores the signal
      ),
    },
    run: upgradeNginx,
    port: 8081,
    ports: "8080",
    logsPeerTo: "access.log",
    remark:
      "`env LD_PRELOAD; env XBIND; env XSOCKET;` must be in nginx.conf: the next binary gets nothing else, and what it adds would open in its own namespace",
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
    packages: ["haproxy", "socat"],
    files: { "haproxy.cfg": haproxy("bind :8080") },
    // signals that come before the master answers are lost
    run: "(until echo show proc | socat - UNIX:master.sock 2>/dev/null | grep worker; do sleep 0.1; done) & exec haproxy -W -f haproxy.cfg -S $DIR/master.sock",
    reload: {
      files: { "haproxy.cfg": haproxy("bind :8080\n  bind :8081") },
      after: /worker +\d/,
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
    name: "Apache, worker, after a graceful restart that adds a port",
    packages: ["apache2-bin"],
    files: { ...http.files, "apache.conf": apache("worker") },
    run: "exec apache2 -DFOREGROUND -f $DIR/apache.conf",
    reload: {
      files: { "apache.conf": apache("worker", "Listen 8081") },
      signal: "SIGUSR1",
      port: 8081,
    },
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
    dropsRoot: true,
    prepare: "chmod 777 .",
    // a container may have no room for its shared memory
    run: "exec unshare -m sh -c 'mount -t tmpfs -o mode=1777 shm /dev/shm && exec setpriv --reuid=65534 --regid=65534 --clear-groups squid --foreground -f squid.conf'",
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
  {
    ...http,
    name: "rinetd, after a reload that adds a port",
    packages: ["rinetd", "python3"],
    files: { ...http.files, "rinetd.conf": "0.0.0.0 8080 127.0.0.1 9999\n" },
    run: "python3 -m http.server -b 127.0.0.1 9999 & exec rinetd -f -c $DIR/rinetd.conf",
    reload: {
      files: { "rinetd.conf": "0.0.0.0 8080 127.0.0.1 9999\n0.0.0.0 8081 127.0.0.1 9999\n" },
      signal: "SIGHUP",
      port: 8081,
    },
  },
  {
    ...http,
    name: "Tomcat",
    packages: ["tomcat10", "default-jre-headless"],
    files: {
      ...http.files,
      "server.xml": `<Server port="-1"><Service name="Catalina"><Connector port="8080"/><Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine></Service></Server>`,
    },
    prepare:
      "mkdir -p b/conf b/webapps/ROOT b/logs b/temp b/work && cp server.xml /etc/tomcat10/web.xml b/conf && cp page b/webapps/ROOT",
    run: "export CATALINA_HOME=/usr/share/tomcat10 CATALINA_BASE=$DIR/b; exec /usr/share/tomcat10/bin/catalina.sh run",
  },
];
