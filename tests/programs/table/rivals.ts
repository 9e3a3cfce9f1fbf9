import { type Program, tftp, withSocketInRoot } from "../program.ts";

const users = `postfix:x:33:33::/:/bin/false
`;

const proftpd = {
  packages: [
    "curl",
    "openssl",
    "libmemcached11t64",
    "libmemcachedutil2t64",
    "libhiredis1.1.0",
    "libpcre2-posix3",
    "libpam0g",
  ],
  unpacked: ["proftpd-core"],
  files: {
    "proftpd.conf": `
ModulePath @UNPACKED@/proftpd-core/usr/lib/proftpd
LoadModule mod_ls.c
LoadModule mod_xfer.c
Port 2121
ServerType standalone
DefaultAddress 0.0.0.0
SocketBindTight off
User nobody
Group nogroup
ScoreboardFile @DIR@/score
PidFile @DIR@/pid
WtmpLog off
TransferLog @DIR@/xfer
SystemLog @DIR@/log
PassivePorts 30000 30010
AuthOrder mod_auth_file.c
AuthUserFile @DIR@/passwd
AuthGroupFile @DIR@/group
RequireValidShell off
UseReverseDNS off
`,
    group: "x:x:33:\n",
  },
  prepare:
    'mkdir root; echo hello > root/hello; chmod 755 . root; echo "x:$(openssl passwd -1 x):33:33::$DIR/root:/bin/sh" > passwd; chmod 600 passwd group',
  dropsRoot: true,
  port: 2121,
  ports: "30000-30010",
  client: "curl -sv --max-time 5 ftp://x:x@$HOST:$PORT/hello 2>&1",
  expect: /^hello/m,
  logsPeerTo: "output",
} as const;
const runProftpd = "$UNPACKED/proftpd-core/usr/sbin/proftpd -n -d 3 -c $DIR/proftpd.conf";

/** Servers of which Debian installs only one of a kind: these are unpacked instead. */
export const rivals: readonly Program[] = [
  {
    name: "ProFTPD, passive data connections",
    run: `exec ${runProftpd}`,
    ...proftpd,
    remark: "not with DefaultRoot: then it chroots and becomes another user before it binds",
  },
  {
    name: "ProFTPD, DefaultRoot, the control socket's directory mounted there",
    run: `echo DefaultRoot "~" >> proftpd.conf; ${withSocketInRoot(runProftpd)}`,
    ...proftpd,
  },
  {
    name: "Postfix, smtpd by master",
    packages: ["curl", "libicu76", "libtlsrpt0", "libnsl2", "libsasl2-2", "libdb5.3t64"],
    unpacked: ["postfix"],
    files: {
      "main.cf": `
compatibility_level = 3.10
queue_directory = @DIR@/spool
data_directory = @DIR@/data
daemon_directory = @UNPACKED@/postfix/usr/lib/postfix/sbin
command_directory = @UNPACKED@/postfix/usr/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = hello.example
inet_interfaces = all
local_recipient_maps =
alias_maps =
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
maillog_file = @DIR@/log
maillog_file_prefixes = /
import_environment = LD_PRELOAD XBIND XSOCKET LD_LIBRARY_PATH MAIL_CONFIG
export_environment = LD_PRELOAD XBIND XSOCKET LD_LIBRARY_PATH
`,
      "master.cf":
        "2525 inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\nrewrite unix - - n - - trivial-rewrite\nanvil unix - - n - 1 anvil\npostlog unix-dgram n - n - 1 postlogd\n",
      users,
    },
    prepare:
      "cat /etc/passwd >> users; (echo postdrop:x:34:; echo postfix:x:33:; cat /etc/group) > groups; chmod 755 .; mkdir spool data; chown 33 data; cd spool; mkdir active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved trace; chown -R 33 . ; chown root . pid; chgrp 34 maildrop public",
    run: "export MAIL_CONFIG=$DIR LD_LIBRARY_PATH=$UNPACKED/postfix/usr/lib/postfix; exec unshare -m sh -c 'mount --bind users /etc/passwd && mount --bind groups /etc/group && exec $UNPACKED/postfix/usr/lib/postfix/sbin/master -d'",
    port: 2525,
    client: "curl -s --max-time 5 smtp://$HOST:$PORT -X NOOP -v 2>&1",
    expect: /220 hello\.example/,
    logsPeerTo: "log",
    remark:
      "import_environment and export_environment in main.cf must name LD_PRELOAD, XBIND and XSOCKET",
  },
  {
    name: "atftpd",
    packages: ["curl", "libpcre2-8-0"],
    unpacked: ["atftpd"],
    files: { hello: "hello\n" },
    prepare: "chmod 644 hello; chmod 755 .",
    run: "exec $UNPACKED/atftpd/usr/sbin/atftpd --daemon --no-fork --user nobody.nogroup --port 6969 --logfile /dev/stdout --verbose=7 $DIR",
    dropsRoot: true,
    ...tftp,
    remark: 'answers from a port of its own for each transfer: list port 0 too, XBIND="69 0"',
  },
  {
    name: "xinetd",
    packages: ["netcat-openbsd", "libtirpc3t64"],
    unpacked: ["xinetd"],
    files: {
      "xinetd.conf":
        "service echo\n{\n type = UNLISTED\n port = 7007\n socket_type = stream\n protocol = tcp\n wait = no\n user = root\n server = /bin/cat\n log_type = FILE @DIR@/log\n log_on_success = HOST\n}\n",
    },
    run: "exec $UNPACKED/xinetd/usr/sbin/xinetd -dontfork -f $DIR/xinetd.conf -pidfile $DIR/pid",
    port: 7007,
    client: "(echo hello; sleep 1) | nc -w 2 $HOST $PORT",
    expect: /hello/,
    logsPeerTo: "log",
  },
  {
    name: "Pure-FTPd, the control socket's directory mounted in its root",
    packages: ["curl", "libpam0g"],
    unpacked: ["pure-ftpd"],
    prepare:
      "(echo ftp:x:33:33::$DIR/root:/bin/sh; grep -v ^ftp: /etc/passwd) > users; mkdir root; touch root/hello; chmod 755 . root",
    run: withSocketInRoot(
      'sh -c "mount --bind users /etc/passwd; exec $UNPACKED/pure-ftpd/usr/sbin/pure-ftpd -S 2121 -e -p 30000:30010 -H"',
    ),
    dropsRoot: true,
    port: 2121,
    ports: "30000-30010",
    client: "curl -sv --max-time 5 ftp://$HOST:$PORT/ 2>&1",
    expect: /226/,
    remark:
      "without the mount the login works, but no passive data connection: it chroots and becomes another user before it binds",
  },
  {
    name: "OpenSMTPD",
    packages: ["netcat-openbsd", "libdb5.3t64", "libevent-dev", "libpam0g"],
    unpacked: ["opensmtpd"],
    files: {
      "smtpd.conf":
        "listen on 0.0.0.0 port 2525 hostname hello.example\naction a relay\nmatch for any action a\n",
      users: "opensmtpd:x:33:33::/var/lib/opensmtpd/empty:/bin/sh\nopensmtpq:x:34:34::/:/bin/sh\n",
      groups: "opensmtpq:x:34:\n",
    },
    prepare: "cat /etc/passwd >> users; cat /etc/group >> groups",
    run: "exec unshare --mount sh -c 'mount --bind users /etc/passwd; mount --bind groups /etc/group; mount -t tmpfs -o mode=755 x /var/lib; mkdir -p /var/lib/opensmtpd/empty; mount -t tmpfs -o mode=711 x /var/spool; mkdir -m 711 /var/spool/smtpd; exec $UNPACKED/opensmtpd/usr/sbin/smtpd -d -v -f smtpd.conf'",
    port: 2525,
    client: "printf 'QUIT\\r\\n' | nc -w 3 $HOST $PORT",
    expect: /220 hello\.example/,
    logsPeerTo: "output",
  },
];
