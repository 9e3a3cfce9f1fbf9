import { http, type Program } from "../program.ts";

const fastcgi = `
import os, socket, struct
def pair(k, v): return bytes([len(k), len(v)]) + k.encode() + v.encode()
def record(kind, body): return struct.pack("!BBHHBB", 1, kind, 1, len(body), 0, 0) + body
script = os.path.join(os.environ["DIR"], "page.php")
params = pair("SCRIPT_FILENAME", script) + pair("REQUEST_METHOD", "GET") + pair("REDIRECT_STATUS", "1")
s = socket.create_connection((os.environ["HOST"], os.environ["PORT"]), 3)
s.sendall(record(1, struct.pack("!HB5x", 1, 0)) + record(4, params) + record(4, b"") + record(5, b""))
print(s.makefile("rb").read())
`;

const get = "printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | nc -w 3 $HOST $PORT";

/** Perl, Ruby, PHP, Lua, Tcl and others that are interpreted. */
export const scripting: readonly Program[] = [
  {
    ...http,
    name: "php -S",
    packages: ["php-cli"],
    run: "exec php -S 0.0.0.0:8080",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "PHP, php-cgi over FastCGI",
    packages: ["php-cgi", "python3"],
    files: {
      "page.php": "<?php echo 'a page';",
      "client.py": fastcgi,
    },
    run: "PHP_FCGI_CHILDREN=2 exec php-cgi -b 0.0.0.0:8080",
    client: "python3 client.py",
  },
  {
    ...http,
    name: "PHP, socket_bind of an extension (RTLD_DEEPBIND)",
    packages: ["php-cli"],
    files: {
      "server.php": `<?php
$server = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
if (!socket_bind($server, "0.0.0.0", 8080) || !socket_listen($server)) exit(1);
while ($peer = socket_accept($server)) {
  socket_getpeername($peer, $host);
  echo $host, "\\n";
  socket_read($peer, 4096);
  socket_write($peer, "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n");
  socket_shutdown($peer, 1);
  while (socket_read($peer, 4096));
}
`,
    },
    run: "exec php server.php",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Perl, IO::Socket::IP",
    packages: ["perl"],
    files: {
      "server.pl": `
use IO::Socket::IP; $| = 1;
my $server = IO::Socket::IP->new(LocalHost => "0.0.0.0", LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die "$@";
while (my $peer = $server->accept) {
  print $peer->peerhost, "\\n"; <$peer>; print $peer "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"; shutdown $peer, 1; 1 while <$peer>;
}
`,
    },
    run: "exec perl server.pl",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Perl, AnyEvent (EV, libev)",
    packages: ["libanyevent-perl"],
    files: {
      "server.pl": `
use AnyEvent; use AnyEvent::Socket; use AnyEvent::Handle; $| = 1;
tcp_server undef, 8080, sub {
  my ($fh, $host) = @_; print "$host\\n";
  my $h; $h = AnyEvent::Handle->new(fh => $fh, on_error => sub { undef $h });
  $h->push_read(line => qr/\\r\\n\\r\\n/, sub { $h->push_write("HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"); $h->on_drain(sub { undef $h }) });
};
AnyEvent->condvar->recv;
`,
    },
    run: "exec perl server.pl",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Perl, Mojolicious",
    packages: ["libmojolicious-perl"],
    files: {
      "server.pl": `use Mojolicious::Lite -signatures;
$| = 1;
get '/page' => sub ($c) { print $c->tx->remote_address, "\\n"; $c->render(text => "a page\\n") };
app->start;
`,
    },
    run: "exec perl server.pl daemon -m production -l 'http://*:8080'",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Perl, Starman",
    packages: ["starman"],
    files: {
      "app.psgi": `$| = 1; sub { print $_[0]{REMOTE_ADDR}, "\\n"; [200, [], ["a page\\n"]] };`,
    },
    run: "exec starman --workers 2 --port 8080 app.psgi",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Ruby, WEBrick",
    packages: ["ruby-webrick", "ruby"],
    run: "exec ruby -run -e httpd -- -p 8080 .",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Ruby, Puma",
    packages: ["puma"],
    files: {
      "config.ru": `run ->(env) { puts env["REMOTE_ADDR"]; $stdout.flush; [200, {}, ["a page\\n"]] }`,
    },
    run: "exec puma -e production -b tcp://0.0.0.0:8080 config.ru",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Ruby, Thin (EventMachine)",
    packages: ["thin"],
    files: {
      "config.ru": `run ->(env) { puts env["REMOTE_ADDR"]; $stdout.flush; [200, {}, ["a page\\n"]] }`,
    },
    run: "exec thin start -a 0.0.0.0 -p 8080 -R config.ru",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "Tcl",
    packages: ["tcl"],
    files: {
      "server.tcl": `
proc answer {chan host port} {
  puts $host; flush stdout
  fconfigure $chan -translation crlf
  gets $chan
  puts $chan "HTTP/1.0 200 OK\\n\\na page"
  close $chan
}
socket -server answer 8080
vwait forever
`,
    },
    run: "exec tclsh server.tcl",
    client: get,
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "LuaJIT, bind by ffi from libc.so.6",
    packages: ["luajit"],
    files: {
      "server.lua": `
local ffi = require "ffi"
ffi.cdef [[
int socket(int, int, int); int bind(int, const char *, unsigned); int listen(int, int);
int accept(int, void *, void *); long read(int, void *, size_t); long write(int, const char *, size_t);
int shutdown(int, int); int close(int);
]]
local c, heard = ffi.load "libc.so.6", ffi.new "char[4096]"
local server = c.socket(2, 1, 0)
assert(c.bind(server, "\\2\\0\\31\\144" .. ("\\0"):rep(12), 16) == 0 and c.listen(server, 5) == 0)
while true do
  local peer = c.accept(server, nil, nil)
  local page = "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"
  c.read(peer, heard, 4096)
  c.write(peer, page, #page)
  c.shutdown(peer, 1)
  while c.read(peer, heard, 4096) > 0 do end
  c.close(peer)
end
`,
    },
    run: "exec luajit server.lua",
  },
  {
    ...http,
    name: "Lua, LuaSocket",
    packages: ["lua-socket", "lua5.4"],
    files: {
      "server.lua": `
local socket = require "socket"
local server = assert(socket.bind("*", 8080))
io.stdout:setvbuf "no"
while true do
  local peer = server:accept()
  print((peer:getpeername()))
  peer:receive()
  peer:send "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n"
  peer:shutdown "send"
  repeat local line = peer:receive() until not line
  peer:close()
end
`,
    },
    run: "exec lua5.4 server.lua",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "PHP-FPM, workers of another user",
    packages: ["php-fpm", "python3"],
    files: {
      "fpm.conf":
        "[global]\nerror_log = @DIR@/log\ndaemonize = no\n[www]\nlisten = 8080\npm = static\npm.max_children = 2\nuser = nobody\ngroup = nogroup\n",
      "page.php": "<?php echo 'a page';",
      "client.py": fastcgi,
    },
    prepare: "chmod 755 .",
    run: "exec $(echo /usr/sbin/php-fpm*) -F -n -y $DIR/fpm.conf",
    client: "python3 client.py",
  },
  {
    ...http,
    name: "Ruby, Unicorn, after USR2",
    packages: ["unicorn"],
    files: {
      "config.ru": `run ->(env) { $stderr.puts env["REMOTE_ADDR"]; [200, {}, ["a page\\n"]] }`,
      "unicorn.rb": "worker_processes 2\nlisten 8080\n",
    },
    run: "exec unicorn -E none -c unicorn.rb config.ru",
    reload: { after: /ready/, signal: "SIGUSR2", port: 8080 },
    logsPeerTo: "output",
  },
  {
    name: "Ruby, Socket.udp_server_loop without an address",
    packages: ["ruby", "socat"],
    files: { "server.rb": `require "socket"\nSocket.udp_server_loop(8080) { |m, s| s.reply m }\n` },
    run: "exec ruby server.rb",
    port: 8080,
    kind: "udp",
    client: "printf 'hello\\n' | socat -t 2 - UDP:$HOST:$PORT",
    expect: /hello/,
    cannot: {
      reason: "it lists the addresses of its own namespace and binds each of them alone",
      instead: 'name an address: Socket.udp_server_loop("0.0.0.0", 8080)',
    },
  },
  {
    ...http,
    name: "GNU awk, /inet",
    packages: ["gawk", "netcat-openbsd"],
    files: {
      "server.awk":
        'BEGIN { s = "/inet/tcp/8080/0/0"; for (;;) { s |& getline; printf "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n" |& s; close(s) } }',
    },
    run: "exec gawk -f server.awk",
    client: get,
  },
  {
    ...http,
    name: "zsh, ztcp",
    packages: ["zsh", "netcat-openbsd"],
    files: {
      "server.zsh": `zmodload zsh/net/tcp
ztcp -l 8080; listener=$REPLY
while ztcp -a $listener; do peer=$REPLY; read -u $peer line; print -u $peer "HTTP/1.0 200 OK\\r\\n\\r\\na page"; ztcp -c $peer; done
`,
    },
    run: "exec zsh server.zsh",
    client: get,
  },
  {
    ...http,
    name: "GNU Emacs",
    packages: ["emacs-nox"],
    files: {
      "server.el": `
(make-network-process :name "s" :service 8080 :host "0.0.0.0" :family 'ipv4 :server t
  :filter (lambda (p s) (message "%s" (format-network-address (process-contact p :remote)))
    (process-send-string p "HTTP/1.0 200 OK\\r\\n\\r\\na page\\n") (delete-process p)))
(while t (accept-process-output nil 1))
`,
    },
    run: "exec emacs --batch -l server.el",
    logsPeerTo: "output",
  },
  {
    ...http,
    name: "R",
    packages: ["r-base-core", "netcat-openbsd"],
    files: {
      "server.R": `
s <- serverSocket(8080)
repeat { c <- socketAccept(s, open = "r+b", blocking = TRUE); readLines(c, 1); writeLines("HTTP/1.0 200 OK\\r\\n\\r\\na page", c); close(c) }
`,
    },
    run: "exec Rscript server.R",
    client: get,
  },
];
