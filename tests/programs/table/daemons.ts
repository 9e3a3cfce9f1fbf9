import type { Program } from "../program.ts";

const sshClient = (user: string) =>
  `ssh -i key -p $PORT -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o IdentitiesOnly=yes ${user}@$HOST 'echo hello $SSH_CLIENT'`;

const echo = "printf 'hello\\n' | nc -N -w 3 $HOST $PORT";

/** Daemons and tools of all sorts. */
export const daemons: readonly Program[] = [
  {
    name: "Dropbear",
    packages: ["dropbear-bin", "openssh-client"],
    prepare:
      "dropbearkey -t ed25519 -f host >/dev/null 2>&1; ssh-keygen -q -t ed25519 -N '' -f key && mkdir auth && cp key.pub auth/authorized_keys && chmod 700 auth && chmod 600 auth/authorized_keys",
    // it wants a directory of keys that only root can write, up to the root directory
    run: "exec unshare -m sh -c 'mount --bind auth /mnt && exec dropbear -F -E -r host -p 2222 -D /mnt'",
    port: 2222,
    client: sshClient("root"),
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "OpenSSH sshd",
    packages: ["openssh-server", "openssh-client"],
    files: {
      sshd_config:
        "Port 2222\nHostKey host\nAuthorizedKeysFile DIR/key.pub\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n",
    },
    prepare:
      "mkdir -p /run/sshd; sed -i s,DIR,$DIR, sshd_config; ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f key",
    run: "exec /usr/sbin/sshd -D -e -f sshd_config -h $DIR/host",
    port: 2222,
    client: sshClient("root"),
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "iperf3, TCP",
    packages: ["iperf3"],
    run: "exec iperf3 -s --forceflush",
    port: 5201,
    client: "iperf3 -c $HOST -n 1M",
    expect: /receiver/,
    logsPeerTo: "output",
  },
  {
    name: "iperf3, UDP",
    packages: ["iperf3"],
    run: "exec iperf3 -s --forceflush",
    port: 5201,
    client: "iperf3 -c $HOST -u -n 100K -b 100M",
    expect: /receiver/,
    logsPeerTo: "output",
  },
  {
    name: "socat, IPv4",
    packages: ["socat"],
    run: "exec socat -d -d TCP4-LISTEN:7000,reuseaddr,fork,backlog=20 EXEC:cat",
    port: 7000,
    client: echo,
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "socat, IPv6",
    packages: ["socat"],
    run: "exec socat -d -d TCP6-LISTEN:7000,reuseaddr,fork,ipv6only=0,keepalive,nodelay,rcvbuf=65536,linger2=5,mss=1200 EXEC:cat",
    port: 7000,
    client: echo,
    expect: /hello/,
  },
  {
    name: "socat, UDP",
    packages: ["socat"],
    run: "exec socat -d -d UDP-RECVFROM:7000,reuseaddr,fork,ip-recvttl,ip-pktinfo EXEC:cat",
    port: 7000,
    kind: "udp",
    client: "printf 'hello\\n' | socat -t 2 - UDP:$HOST:$PORT",
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "socat, UDP-LISTEN",
    packages: ["socat"],
    run: "exec socat -d -d UDP-LISTEN:7000,reuseaddr,fork EXEC:cat",
    port: 7000,
    kind: "udp",
    client: "printf 'hello\\n' | socat -t 2 - UDP:$HOST:$PORT",
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "OpenBSD netcat",
    packages: ["netcat-openbsd"],
    run: "while nc -l -n -v -p 7000 < page; do :; done",
    files: { page: "hello\n" },
    port: 7000,
    client: "nc -d -w 3 $HOST $PORT",
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "Ncat",
    packages: ["ncat"],
    run: "exec ncat -l -k -v 7000 -e /bin/cat",
    port: 7000,
    client: echo,
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "Transmission",
    packages: ["transmission-daemon", "curl"],
    run: "exec transmission-daemon -f -g $DIR/config -w $DIR -p 9091 -a '*' -T",
    port: 9091,
    ports: "51413",
    client: "curl -s --max-time 5 -i http://$HOST:$PORT/transmission/rpc",
    expect: /X-Transmission-Session-Id/i,
  },
  {
    name: "aria2, RPC",
    packages: ["aria2", "curl"],
    run: "exec aria2c --no-conf --enable-rpc --rpc-listen-all --rpc-listen-port=6800 --dir=$DIR",
    port: 6800,
    client:
      'curl -s --max-time 5 http://$HOST:$PORT/jsonrpc -d \'{"jsonrpc":"2.0","id":1,"method":"aria2.getVersion"}\'',
    expect: /"version"/,
  },
  {
    name: "vsftpd",
    packages: ["vsftpd", "curl"],
    files: {
      "vsftpd.conf": `
listen=YES
background=NO
listen_port=2121
anonymous_enable=YES
anon_root=DIR/root
no_anon_password=YES
secure_chroot_dir=DIR/root
vsftpd_log_file=DIR/log
xferlog_enable=YES
log_ftp_protocol=YES
seccomp_sandbox=NO
pasv_min_port=30000
pasv_max_port=30010
pasv_promiscuous=YES
ftp_username=sync
`,
    },
    prepare: "sed -i s,DIR,$DIR, vsftpd.conf; mkdir root; touch root/hello",
    run: "exec vsftpd $DIR/vsftpd.conf",
    port: 2121,
    ports: "30000-30010",
    client: "curl -sv --max-time 5 ftp://$HOST:$PORT/ 2>&1",
    expect: /226/,
    logsPeerTo: "log",
    cannot: {
      reason:
        "the login works, but for each passive data connection it chroots and becomes another user before it binds: the control socket is out of its reach then, and a connection made as root is not used for anybody else",
      instead: "sftp, or an FTP server that binds as who it is",
    },
  },
  {
    name: "tftpd-hpa",
    packages: ["tftpd-hpa", "tftp-hpa"],
    files: { hello: "hello\n" },
    run: "chmod 644 hello; exec in.tftpd -L -v -u nobody --address :6969 $DIR",
    dropsRoot: true,
    port: 6969,
    kind: "udp",
    ports: "0",
    client: "curl -s --max-time 5 tftp://$HOST:$PORT/$DIR/hello",
    expect: /hello/,
    remark:
      'answers from a port of its own for each transfer: list port 0 too, XBIND="69 0". Not with --secure: then it chroots and becomes another user before it binds',
  },
  {
    name: "rsync --daemon",
    packages: ["rsync"],
    files: {
      "rsyncd.conf": "use chroot = no\nlog file = DIR/log\n[files]\npath = DIR\ncomment = hello\n",
    },
    prepare: "sed -i s,DIR,$DIR, rsyncd.conf",
    run: "exec rsync --daemon --no-detach --port=8730 --config=rsyncd.conf",
    port: 8730,
    client: "rsync rsync://$HOST:$PORT/files/",
    expect: /rsyncd\.conf/,
    logsPeerTo: "log",
  },
  {
    name: "Samba",
    packages: ["samba", "smbclient"],
    files: {
      "smb.conf": `
[global]
disable netbios = yes
smb ports = 4450
state directory = DIR
lock directory = DIR
cache directory = DIR
private dir = DIR
pid directory = DIR
ncalrpc dir = DIR/ncalrpc
map to guest = bad user
log file = DIR/log
log level = 3
load printers = no
disable spoolss = yes
[hello]
path = DIR
guest ok = yes
`,
    },
    prepare: "sed -i s,DIR,$DIR, smb.conf",
    run: "exec smbd -F --no-process-group -s $DIR/smb.conf",
    port: 4450,
    client: "smbclient -N -p $PORT -L //$HOST",
    expect: /hello +Disk/,
    logsPeerTo: "log",
  },
  {
    name: "Exim",
    packages: ["exim4-daemon-light"],
    files: {
      "exim.conf":
        "spool_directory = DIR/spool\nlog_file_path = DIR/log-%s\nprimary_hostname = hello.example\nlog_selector = +incoming_port +smtp_connection\nexim_user = root\nexim_group = root\n",
    },
    prepare: "sed -i s,DIR,$DIR, exim.conf; mkdir spool; chmod 755 .",
    run: "exec exim4 -C $DIR/exim.conf -bdf -oX 2525",
    port: 2525,
    client: "curl -s --max-time 5 smtp://$HOST:$PORT -X NOOP -v 2>&1",
    expect: /220 hello\.example/,
    logsPeerTo: "log-main",
  },
  {
    name: "Dovecot, IMAP",
    packages: ["dovecot-imapd", "curl"],
    files: {
      "dovecot.conf": `
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = DIR/run
state_dir = DIR/state
protocols = imap
ssl = no
log_path = /dev/stderr
listen = *
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
passdb static {
  password = x
}
service imap-login {
  chroot =
  inet_listener imap {
    port = 1430
  }
  inet_listener imaps {
    port = 0
  }
}
`,
    },
    prepare: "sed -i s,DIR,$DIR, dovecot.conf; mkdir run state",
    run: "exec dovecot -F -c $DIR/dovecot.conf",
    port: 1430,
    client: "printf 'a CAPABILITY\\r\\nb LOGOUT\\r\\n' | nc -w 3 $HOST $PORT",
    expect: /IMAP4rev1/,
  },
  {
    name: "ngIRCd",
    packages: ["ngircd"],
    files: {
      "ngircd.conf":
        "[Global]\nName = irc.example\nInfo = hello\nPorts = 6667\nListen = 0.0.0.0,::\nServerUID = nobody\nServerGID = nogroup\n[Options]\nDNS = no\nIdent = no\nPAM = no\n",
    },
    dropsRoot: true,
    run: "exec ngircd -n -f $DIR/ngircd.conf",
    port: 6667,
    client: "printf 'NICK x\\r\\nUSER x x x x\\r\\nQUIT\\r\\n' | nc -w 3 $HOST $PORT",
    expect: /001 x/,
    logsPeerTo: "output",
  },
  {
    name: "Icecast",
    packages: ["icecast2", "curl"],
    files: {
      "icecast.xml": `<icecast><hostname>x</hostname>
<authentication><source-password>x</source-password><admin-user>x</admin-user><admin-password>x</admin-password></authentication>
<listen-socket><port>8000</port></listen-socket>
<paths><logdir>.</logdir><webroot>.</webroot><adminroot>/usr/share/icecast2/admin</adminroot></paths>
<logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>4</loglevel></logging>
</icecast>`,
    },
    unprivileged: true,
    run: "exec icecast2 -c icecast.xml",
    port: 8000,
    client: "curl -s --max-time 5 http://$HOST:$PORT/none",
    expect: /404|could not be found/i,
    logsPeerTo: "access.log",
  },
  {
    name: "snmpd",
    packages: ["snmpd", "snmp"],
    files: { "snmpd.conf": "rocommunity hello\nsysName hello\n" },
    run: "exec snmpd -f -Le -a -C -c snmpd.conf -p pid -u root -g root --persistentDir=$DIR udp:1161",
    port: 1161,
    kind: "udp",
    client: "snmpget -v2c -c hello $HOST:$PORT 1.3.6.1.2.1.1.5.0",
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "coturn",
    packages: ["coturn"],
    run: "exec turnserver -n -v --log-file=stdout --no-cli --no-tls --no-dtls --listening-port=3478 --listening-ip=0.0.0.0 --relay-ip=127.0.0.1 --lt-cred-mech --user=x:y --realm=example --userdb=$DIR/db --pidfile=$DIR/pid",
    port: 3478,
    kind: "udp",
    ports: "49152-65535",
    client: "turnutils_stunclient -p $PORT $HOST",
    expect: /reflexive addr/,
  },
  {
    name: "Tor, SOCKS port",
    packages: ["tor", "curl"],
    files: { torrc: "" },
    run: "exec tor -f $DIR/torrc --defaults-torrc $DIR/torrc --DataDirectory $DIR/data --SocksPort 0.0.0.0:9050 --DisableNetwork 0 --Log 'notice stdout'",
    port: 9050,
    client: "curl -s --max-time 5 http://$HOST:$PORT/",
    expect: /Tor is not an HTTP Proxy|This is a SOCKS/i,
  },
  {
    name: "microsocks",
    packages: ["microsocks"],
    run: "exec microsocks -p 1080",
    port: 1080,
    client: "printf '\\005\\001\\000' | nc -N -w 3 $HOST $PORT | od -An -tx1",
    expect: /05 00/,
  },
  {
    name: "nbd-server",
    packages: ["nbd-server", "nbd-client"],
    files: { "nbd.conf": "[generic]\nallowlist = true\n[hello]\nexportname = DIR/disk\n" },
    prepare: "truncate -s 1M disk; sed -i s,DIR,$DIR, nbd.conf",
    run: "exec nbd-server -d -C nbd.conf",
    port: 10809,
    client: "/usr/sbin/nbd-client -l $HOST $PORT 2>&1",
    expect: /hello/,
  },
  {
    name: "libwebsockets test server",
    packages: ["libwebsockets-test-server", "curl"],
    run: "exec libwebsockets-test-server -p 7681 -r $DIR",
    files: { "test.html": "hello" },
    port: 7681,
    client: "curl -s --max-time 5 -i http://$HOST:$PORT/nothing",
    expect: /HTTP\/1\.1 \d/,
  },
];
