import { type Program, tftp, withSocketInRoot } from "../program.ts";

const opens = { client: "nc -vz -w 2 $HOST $PORT 2>&1", expect: /succeeded/ } as const;

/* qBittorrent's settings, with further ones for its sessions. */
const qbittorrent = (...session: readonly string[]) =>
  [
    "[LegalNotice]",
    "Accepted=true",
    "[BitTorrent]",
    ...session,
    "[Preferences]",
    "WebUI\\Port=8080",
    "",
  ].join("\n");

const prepareQbittorrent =
  "mkdir -p q/qBittorrent/config; mv settings q/qBittorrent/config/qBittorrent.conf";
const runQbittorrent = "exec qbittorrent-nox --profile=$DIR/q --confirm-legal-notice";

const runRtorrent =
  "exec env TERM=xterm rtorrent -n -o system.daemon.set=true,network.port_range.set=6881-6881,session.path.set=$DIR";

const vsftpd = {
  packages: ["vsftpd", "curl"],
  files: {
    "vsftpd.conf": `
listen=YES
background=NO
listen_port=2121
anonymous_enable=YES
anon_root=@DIR@/files
no_anon_password=YES
secure_chroot_dir=@DIR@/root
vsftpd_log_file=@DIR@/log
xferlog_enable=YES
log_ftp_protocol=YES
seccomp_sandbox=NO
pasv_min_port=30000
pasv_max_port=30010
pasv_promiscuous=YES
ftp_username=sync
`,
  },
  prepare: "mkdir root files; touch files/hello",
  port: 2121,
  ports: "30000-30010",
  client: "curl -sv --max-time 5 ftp://$HOST:$PORT/ 2>&1",
  expect: /226/,
  logsPeerTo: "log",
} as const;

/** File transfer: FTP, rsync, SMB, BitTorrent and others. */
export const files: readonly Program[] = [
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
    run: "exec vsftpd $DIR/vsftpd.conf",
    ...vsftpd,
    cannot: {
      reason:
        "the login works, but for each passive data connection it chroots and becomes another user before it binds: the control socket is out of its reach then, and a connection made as root is not used for anybody else",
      instead: "mount the directory of the control socket, as in the next line",
    },
  },
  {
    name: "vsftpd, control socket's directory mounted in its secure_chroot_dir",
    run: withSocketInRoot("vsftpd $DIR/vsftpd.conf"),
    dropsRoot: true,
    ...vsftpd,
    remark: "its user here is nopriv_user; needs seccomp_sandbox=NO",
  },
  {
    name: "tftpd-hpa",
    packages: ["tftpd-hpa", "tftp-hpa"],
    files: { hello: "hello\n" },
    run: "chmod 644 hello; exec in.tftpd -L -v -u nobody --address :6969 $DIR",
    dropsRoot: true,
    ...tftp,
    client: "curl -s --max-time 5 tftp://$HOST:$PORT/$DIR/hello",
    remark: 'answers from a port of its own for each transfer: list port 0 too, XBIND="69 0"',
  },
  {
    name: "tftpd-hpa --secure, the control socket's directory mounted in its root",
    packages: ["tftpd-hpa", "tftp-hpa"],
    prepare: "mkdir root; echo hello > root/hello",
    run: withSocketInRoot("in.tftpd -L -v -u nobody --secure --address :6969 $DIR/root"),
    dropsRoot: true,
    ...tftp,
    remark: "without the mount it cannot work: it chroots and becomes another user before it binds",
  },
  {
    name: "rsync --daemon",
    packages: ["rsync"],
    files: {
      "rsyncd.conf":
        "use chroot = no\nlog file = @DIR@/log\n[files]\npath = @DIR@\ncomment = hello\n",
    },
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
state directory = @DIR@
lock directory = @DIR@
cache directory = @DIR@
private dir = @DIR@
pid directory = @DIR@
ncalrpc dir = @DIR@/ncalrpc
map to guest = bad user
log file = @DIR@/log
log level = 3
load printers = no
disable spoolss = yes
[hello]
path = @DIR@
guest ok = yes
`,
    },
    run: "exec smbd -F --no-process-group -s $DIR/smb.conf",
    port: 4450,
    client: "smbclient -N -p $PORT -L //$HOST",
    expect: /hello +Disk/,
    logsPeerTo: "log",
  },
  {
    name: "nbd-server",
    packages: ["nbd-server", "nbd-client"],
    files: { "nbd.conf": "[generic]\nallowlist = true\n[hello]\nexportname = @DIR@/disk\n" },
    prepare: "truncate -s 1M disk",
    run: "exec nbd-server -d -C nbd.conf",
    port: 10809,
    client: "/usr/sbin/nbd-client -l $HOST $PORT 2>&1",
    expect: /hello/,
  },
  {
    name: "Transmission, the peers' port",
    packages: ["transmission-daemon", "netcat-openbsd"],
    run: "exec transmission-daemon -f -g $DIR/config -w $DIR -p 9091 -P 51413 -T",
    port: 51413,
    ...opens,
    remark:
      "DHT's own requests leave through the target namespace then: listed as tcp/51413, DHT stays where it was",
  },
  {
    name: "qBittorrent, web interface",
    packages: ["qbittorrent-nox", "curl"],
    files: { settings: qbittorrent() },
    prepare: prepareQbittorrent,
    run: runQbittorrent,
    port: 8080,
    client: "curl -si --max-time 5 http://$HOST:$PORT/",
    expect: /HTTP\/1.1 \d/,
  },
  {
    name: "qBittorrent, the peers' port on any address (libtorrent)",
    packages: ["qbittorrent-nox", "netcat-openbsd"],
    files: { settings: qbittorrent("Session\\Port=16881") },
    prepare: prepareQbittorrent,
    run: runQbittorrent,
    port: 16881,
    ...opens,
    cannot: {
      reason: "it lists the addresses of its own namespace and binds each of them alone",
      instead:
        "name the target's address in its settings: Session\\InterfaceAddress, or Advanced, Optional IP address to bind to",
    },
  },
  {
    name: "qBittorrent, the peers' port on the target's address",
    packages: ["qbittorrent-nox", "netcat-openbsd"],
    files: { settings: qbittorrent("Session\\Port=16881", "Session\\InterfaceAddress=@HOST@") },
    prepare: prepareQbittorrent,
    run: runQbittorrent,
    port: 16881,
    ...opens,
  },
  {
    name: "Deluge, web interface",
    packages: ["deluge-web", "curl"],
    run: "exec deluge-web -d -c $DIR/c -p 8112 -i 0.0.0.0 -L info",
    port: 8112,
    client: "curl -s --max-time 5 http://$HOST:$PORT/",
    expect: /Deluge/,
  },
  {
    name: "git daemon",
    packages: ["git"],
    prepare:
      "git init -q --bare x.git && touch x.git/git-daemon-export-ok && git init -q y && cd y && git -c user.name=x -c user.email=x@x commit -q --allow-empty -m x && git push -q ../x.git HEAD:main",
    run: "exec git daemon --verbose --reuseaddr --base-path=$DIR --port=9418",
    port: 9418,
    client: "git ls-remote git://$HOST:$PORT/x.git",
    expect: /refs\/heads\/main/,
    logsPeerTo: "output",
  },
  {
    name: "svnserve, threads",
    packages: ["subversion"],
    prepare: "svnadmin create r",
    run: "exec svnserve -d -T --foreground -r $DIR --listen-port 3690 --log-file $DIR/log",
    port: 3690,
    client: "svn info svn://$HOST/r 2>&1",
    expect: /Repository UUID/,
    logsPeerTo: "log",
  },
  {
    name: "MiniDLNA",
    packages: ["minidlna", "curl"],
    files: { "minidlna.conf": "port=8200\nmedia_dir=@DIR@\ndb_dir=@DIR@/db\nlog_dir=@DIR@\n" },
    prepare: "mkdir db",
    run: "exec minidlnad -S -f $DIR/minidlna.conf -P $DIR/pid",
    port: 8200,
    client: "curl -s --max-time 5 http://$HOST:$PORT/",
    expect: /MiniDLNA/,
  },
  {
    name: "Radicale",
    packages: ["radicale", "curl"],
    unprivileged: true,
    run: "exec radicale --config '' --server-hosts 0.0.0.0:5232 --auth-type none --storage-filesystem-folder $DIR/c --logging-level debug",
    port: 5232,
    client: "curl -s --max-time 5 http://$HOST:$PORT/.web/",
    expect: /Radicale/,
    logsPeerTo: "output",
  },
  {
    name: "rTorrent, SCGI",
    packages: ["rtorrent", "netcat-openbsd"],
    run: `${runRtorrent},network.scgi.open_port=0.0.0.0:5000`,
    port: 5000,
    ports: "6881",
    client:
      "(printf '25:CONTENT_LENGTH%b71%bSCGI%b1%b,' '\\0' '\\0' '\\0' '\\0'; printf '<methodCall><methodName>system.client_version</methodName></methodCall>') | nc -w 2 $HOST $PORT",
    expect: /<string>0\.9/,
  },
  {
    name: "rTorrent, the peers' port",
    packages: ["rtorrent", "netcat-openbsd"],
    run: runRtorrent,
    port: 6881,
    ...opens,
  },
  {
    name: "rTorrent, DHT",
    packages: ["rtorrent", "netcat-openbsd"],
    run: `${runRtorrent},dht.mode.set=on,dht.port.set=6882`,
    port: 6882,
    kind: "udp",
    client:
      "printf 'd1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe' | nc -u -w 2 $HOST $PORT",
    expect: /1:y1:r/,
    remark:
      "its own requests to other peers leave through the target namespace then, not through a VPN of its own: not listed, or listed as tcp/6882, DHT stays where it was",
  },
  {
    name: "aMule, the peers' port",
    packages: ["amule-daemon", "netcat-openbsd"],
    files: {
      "amule.conf":
        "[eMule]\nPort=4662\nUDPPort=4672\nTempDir=@DIR@/temp\nIncomingDir=@DIR@/incoming\n[ExternalConnect]\nAcceptExternalConnections=1\nECPort=4712\nECPassword=9dd4e461268c8034f5c8564e155c67a6\n",
    },
    prepare: "mkdir temp incoming",
    run: "exec amuled -c $DIR -o",
    port: 4662,
    ports: "4712",
    ...opens,
  },
  {
    name: "NZBGet",
    packages: ["nzbget", "curl"],
    unprivileged: true,
    run: "exec nzbget -n -s -o MainDir=$DIR -o ControlPort=6789 -o ControlUsername=x -o ControlPassword=x -o OutputMode=log",
    port: 6789,
    client: "curl -s --max-time 5 -u x:x http://$HOST:$PORT/jsonrpc/version",
    expect: /"result" : "\d/,
  },
  {
    name: "Netatalk, afpd",
    packages: ["netatalk", "binutils", "netcat-openbsd"],
    files: {
      "afp.conf":
        "[Global]\nafp port = 5480\nlog file = @DIR@/log\nlog level = default:info\nuam list = uams_guest.so\nzeroconf = no\n",
    },
    run: "exec afpd -d -F $DIR/afp.conf",
    port: 5480,
    // DSIGetStatus
    client: "(printf '\\000\\003\\000\\001'; head -c 12 /dev/zero) | nc -w 2 $HOST $PORT | strings",
    expect: /Netatalk/,
  },
  {
    name: "nbdkit",
    packages: ["nbdkit", "netcat-openbsd"],
    run: "exec nbdkit -f -p 10809 memory 1M",
    port: 10809,
    client: "nc -w 2 $HOST $PORT </dev/null",
    expect: /NBDMAGIC/,
  },
  {
    name: "Kiwix, kiwix-serve",
    packages: ["kiwix-tools", "curl"],
    unprivileged: true,
    files: { "library.xml": "<library version='20110515'></library>" },
    run: "exec kiwix-serve -p 8080 --library library.xml",
    port: 8080,
    client: "curl -s --max-time 5 http://$HOST:$PORT/",
    expect: /kiwix/i,
    remark: "without -i: it looks for that address in its own namespace",
  },
];
