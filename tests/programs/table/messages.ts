import type { Program } from "../program.ts";

const kamailio = (listen: string) => `#!KAMAILIO
log_stderror=yes
children=2
${listen}
mpath="/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
request_route { xlog("L_ERR", "from $si\\n"); sl_send_reply("200", "hello"); }
`;
const runKamailio = "exec kamailio -DD -E -f $DIR/kamailio.cfg -Y $DIR -P $DIR/pid";
const sipOptions =
  "printf 'OPTIONS sip:x@x SIP/2.0\\r\\nVia: SIP/2.0/UDP x:5060;branch=z9hG4bKx;rport\\r\\nFrom: <sip:a@a>;tag=1\\r\\nTo: <sip:b@b>\\r\\nCall-ID: 1\\r\\nCSeq: 1 OPTIONS\\r\\nContent-Length: 0\\r\\n\\r\\n' | socat -t 2 - UDP:$HOST:$PORT";

/** Mail, chat, voice and streams. */
export const messages: readonly Program[] = [
  {
    name: "Exim",
    packages: ["exim4-daemon-light"],
    files: {
      "exim.conf":
        "spool_directory = @DIR@/spool\nlog_file_path = @DIR@/log-%s\nprimary_hostname = hello.example\nlog_selector = +incoming_port +smtp_connection\nexim_user = root\nexim_group = root\n",
    },
    prepare: "mkdir spool; chmod 755 .",
    run: "exec exim4 -C $DIR/exim.conf -bdf -oX 2525",
    port: 2525,
    client: "curl -s --max-time 5 smtp://$HOST:$PORT -X NOOP -v 2>&1",
    expect: /220 hello\.example/,
    logsPeerTo: "log-main",
  },
  {
    name: "Exim, after SIGHUP with another port",
    packages: ["exim4-daemon-light"],
    files: {
      "exim.conf":
        "spool_directory = @DIR@/spool\nlog_file_path = @DIR@/spool/log-%s\nprimary_hostname = hello.example\nlocal_interfaces = 0.0.0.0\ndaemon_smtp_ports = 2524\n",
    },
    prepare: "mkdir spool; chown Debian-exim spool; chmod 755 .",
    run: "exim4 -C $DIR/exim.conf -bdf & until grep -qs started spool/log-main; do sleep 0.1; done; sed -i s/2524/2525/ exim.conf; until grep -q SIGHUP spool/log-main; do kill -HUP $!; sleep 0.1; done; wait",
    port: 2525,
    client: "curl -s --max-time 5 smtp://$HOST:$PORT -X NOOP -v 2>&1",
    expect: /220 hello\.example/,
    cannot: {
      reason:
        "by then it is another user, and starts its set-user-ID program again, for which the dynamic loader ignores LD_PRELOAD: the port opens in its own namespace",
      instead: "restart it where it would be reloaded",
    },
  },
  {
    name: "Dovecot, IMAP",
    packages: ["dovecot-imapd", "curl"],
    files: {
      "dovecot.conf": `
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = @DIR@/run
state_dir = @DIR@/state
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
    prepare: "mkdir run state",
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
    name: "Prosody, XMPP",
    packages: ["prosody", "netcat-openbsd"],
    unprivileged: true,
    files: {
      "prosody.lua": `
pidfile = "@DIR@/pid"
data_path = "@DIR@/data"
log = { { levels = { min = "debug" }, to = "console" } }
modules_enabled = { "saslauth"; "tls"; "disco" }
c2s_require_encryption = false
VirtualHost "x.example"
`,
    },
    prepare: "mkdir data",
    run: "exec prosody --config $DIR/prosody.lua -F",
    port: 5222,
    ports: "5269 5280",
    client: `printf "<?xml version='1.0'?><stream:stream to='x.example' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>" | nc -w 3 $HOST $PORT`,
    expect: /stream:features/,
    logsPeerTo: "output",
  },
  {
    name: "Mumble server",
    packages: ["mumble-server", "openssl"],
    unprivileged: true,
    files: { "mumble.ini": "database=@DIR@/db\nport=64738\nlogfile=\nbonjour=false\n" },
    run: "exec mumble-server -fg -ini $DIR/mumble.ini",
    port: 64738,
    client: "echo | openssl s_client -connect $HOST:$PORT 2>&1",
    expect: /CONNECTED/,
    logsPeerTo: "output",
  },
  {
    name: "InspIRCd",
    packages: ["inspircd", "netcat-openbsd"],
    unprivileged: true,
    files: {
      "inspircd.conf":
        '<config format="xml"><server name="irc.example" description="x" network="x"><admin name="x" description="x" email="x@x.x"><bind address="*" port="6667" type="clients"><connect allow="*"><dns server="127.0.0.1" timeout="1"><path configdir="@DIR@" datadir="@DIR@" logdir="@DIR@" runtimedir="@DIR@"><pid file="@DIR@/pid">',
    },
    run: "exec inspircd --nofork --nolog --config $DIR/inspircd.conf",
    port: 6667,
    client:
      "(printf 'NICK x\\r\\nUSER x x x x\\r\\n'; sleep 3; printf 'QUIT\\r\\n') | nc -w 4 $HOST $PORT",
    expect: /001 x|NOTICE/,
  },
  {
    name: "Kamailio, SIP over UDP, several processes",
    packages: ["kamailio", "socat"],
    files: { "kamailio.cfg": kamailio("listen=udp:0.0.0.0:5060") },
    run: runKamailio,
    port: 5060,
    kind: "udp",
    client: sipOptions,
    expect: /200 hello/,
    logsPeerTo: "output",
  },
  {
    name: "Kamailio without listen=",
    packages: ["kamailio", "socat"],
    files: { "kamailio.cfg": kamailio("") },
    run: runKamailio,
    port: 5060,
    kind: "udp",
    client: sipOptions,
    expect: /200 hello/,
    cannot: {
      reason: "it lists the addresses of its own namespace and binds each of them alone",
      instead: "listen=udp:0.0.0.0:5060, or the target's address",
    },
  },
  {
    name: "Music Player Daemon",
    packages: ["mpd", "netcat-openbsd"],
    unprivileged: true,
    files: {
      "mpd.conf":
        'bind_to_address "any"\nport "6600"\nzeroconf_enabled "no"\naudio_output {\n type "null"\n name "x"\n}\n',
    },
    run: "exec mpd --no-daemon --stderr --verbose mpd.conf",
    port: 6600,
    client: "echo close | nc -w 2 $HOST $PORT",
    expect: /OK MPD/,
    logsPeerTo: "output",
  },
  {
    name: "BitlBee",
    packages: ["bitlbee", "netcat-openbsd"],
    unprivileged: true,
    files: { "bitlbee.conf": "[settings]\n" },
    run: "exec bitlbee -D -n -v -i 0.0.0.0 -p 6667 -c bitlbee.conf -d $DIR -P pid",
    port: 6667,
    client: "printf 'NICK x\\r\\nUSER x x x x\\r\\n' | nc -w 2 $HOST $PORT",
    expect: /001 x/,
  },
  {
    name: "Snapserver",
    packages: ["snapserver", "curl"],
    unprivileged: true,
    files: {
      "snapserver.conf": "[http]\nport = 1780\n[stream]\nsource = pipe://@DIR@/fifo?name=hello\n",
    },
    run: "exec snapserver -c snapserver.conf --server.datadir=$DIR",
    port: 1780,
    ports: "1704 1705",
    client:
      'curl -s --max-time 5 -d \'{"id":1,"jsonrpc":"2.0","method":"Server.GetStatus"}\' http://$HOST:$PORT/jsonrpc',
    expect: /hello/,
  },
  {
    name: "Jamulus",
    packages: ["jamulus", "socat"],
    unprivileged: true,
    run: "exec Jamulus --server --nogui --port 22124",
    port: 22124,
    kind: "udp",
    // asks for its version
    client: "printf '\\000\\000\\364\\003\\000\\000\\000\\275\\043' | socat -t 2 - UDP:$HOST:$PORT",
    expect: /3\.\d+\.\d+/,
  },
  {
    name: "PulseAudio, module-native-protocol-tcp",
    packages: ["pulseaudio", "pulseaudio-utils"],
    unprivileged: true,
    run: "exec pulseaudio -n --daemonize=no --exit-idle-time=-1 --use-pid-file=no --log-target=stderr -vvv -L 'module-null-sink sink_name=hello' -L 'module-native-protocol-tcp auth-anonymous=1 port=4713'",
    port: 4713,
    client: "pactl -s tcp:$HOST:$PORT list short sinks",
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "Roc, RTP",
    packages: ["roc-toolkit-tools", "python3"],
    unprivileged: true,
    run: "exec roc-recv -vv -s rtp://0.0.0.0:10001 -o file:$DIR/received.wav",
    port: 10001,
    kind: "udp",
    client: `python3 -c "
import wave
w = wave.open('sent.wav', 'wb')
w.setnchannels(2)
w.setsampwidth(2)
w.setframerate(44100)
w.writeframes(bytes(400000))"; timeout 5 roc-send -s rtp://$HOST:$PORT -i file:sent.wav; echo sent $?`,
    expect: /sent 0/,
    logsPeerTo: "output",
  },
  {
    name: "rtpengine",
    packages: ["rtpengine-daemon", "socat"],
    run: "exec rtpengine --foreground --table=-1 --interface=$HOST --listen-ng=0.0.0.0:2223 --port-min=30000 --port-max=30100 --log-stderr --log-level=7 --num-threads=2 --pidfile=$DIR/pid",
    port: 2223,
    kind: "udp",
    ports: "30000-30100",
    client: "printf '1_2 d7:command4:pinge' | socat -t 2 - UDP:$HOST:$PORT",
    expect: /pong/,
    logsPeerTo: "output",
    remark: "--interface= must name the target's address",
  },
  {
    name: "SpamAssassin, spamd",
    packages: ["spamd", "netcat-openbsd"],
    files: { hosts: "127.0.0.1 localhost\n192.0.2.7 outside.example\n" },
    run: "exec unshare -m sh -c 'mount --bind hosts /etc/hosts && exec spamd -i 0.0.0.0 -p 7830 -A 0.0.0.0/0 -L -x -u nobody -s stderr -r $DIR/pid -H /tmp'",
    port: 7830,
    client: "printf 'PING SPAMC/1.2\\r\\n\\r\\n' | nc -w 3 $HOST $PORT",
    expect: /PONG/,
    logsPeerTo: "output",
    remark:
      "looks up the client's name and hangs up where nothing answers: its namespace needs a name server, or a line in /etc/hosts",
  },
  {
    name: "Rspamd",
    packages: ["rspamd", "curl"],
    files: {
      "rspamd.conf":
        'options { pidfile = "@DIR@/pid"; url_tld = "@DIR@/tld"; dns { nameserver = "127.0.0.1"; } }\nlogging { type = console; level = info; }\nworker "controller" { bind_socket = "*:11334"; count = 1; secure_ip = "0.0.0.0/0"; }\n',
      tld: "com\norg\n",
    },
    run: "exec rspamd -f -i -c $DIR/rspamd.conf --var DBDIR=$DIR --var RUNDIR=$DIR",
    port: 11334,
    client: "curl -s --max-time 5 http://$HOST:$PORT/ping",
    expect: /pong/,
  },
];
