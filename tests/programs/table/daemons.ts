import type { Program } from "../program.ts";

const SSH =
  "ssh -i key -p $PORT -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o IdentitiesOnly=yes root@$HOST 'echo hello $SSH_CLIENT'";

const kerberos = "export KRB5_CONFIG=$DIR/krb5.conf KRB5_KDC_PROFILE=$DIR/kdc.conf";

/** Other daemons. */
export const daemons: readonly Program[] = [
  {
    name: "Dropbear",
    packages: ["dropbear-bin", "openssh-client"],
    prepare:
      "dropbearkey -t ed25519 -f host >/dev/null 2>&1; ssh-keygen -q -t ed25519 -N '' -f key && mkdir auth && cp key.pub auth/authorized_keys && chmod 700 auth && chmod 600 auth/authorized_keys",
    // it wants a directory of keys that only root can write, up to the root directory
    run: "exec unshare -m sh -c 'mount --bind auth /mnt && exec dropbear -F -E -r host -p 2222 -D /mnt'",
    port: 2222,
    client: SSH,
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "OpenSSH sshd",
    packages: ["openssh-server", "openssh-client"],
    files: {
      sshd_config:
        "Port 2222\nHostKey host\nAuthorizedKeysFile @DIR@/key.pub\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n",
    },
    prepare:
      "mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f key",
    run: "exec /usr/sbin/sshd -D -e -f sshd_config -h $DIR/host",
    port: 2222,
    client: SSH,
    expect: /hello/,
    logsPeerTo: "output",
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
    name: "libwebsockets test server",
    packages: ["libwebsockets-test-server", "curl"],
    run: "exec libwebsockets-test-server -p 7681 -r $DIR",
    files: { "test.html": "hello" },
    port: 7681,
    client: "curl -s --max-time 5 -i http://$HOST:$PORT/nothing",
    expect: /HTTP\/1\.1 \d/,
  },
  {
    name: "OpenSSH sshd, after SIGHUP with another port",
    packages: ["openssh-server", "openssh-client"],
    files: { sshd_config: "Port 2222\n" },
    prepare:
      "mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f key",
    run: "exec /usr/sbin/sshd -D -e -f $DIR/sshd_config -h $DIR/host -o AuthorizedKeysFile=$DIR/key.pub -o StrictModes=no -o UsePAM=no -o PidFile=none",
    port: 2222,
    client: SSH,
    expect: /hello/,
    reload: { files: { sshd_config: "Port 2223\n" }, signal: "SIGHUP", port: 2223 },
    logsPeerTo: "output",
  },
  {
    name: "Tor in its seccomp sandbox",
    packages: ["tor", "curl"],
    files: { torrc: "" },
    run: "exec tor -f $DIR/torrc --defaults-torrc $DIR/torrc --DataDirectory $DIR/data --SocksPort 0.0.0.0:9050 --Sandbox 1 --DisableNetwork 0 --Log 'notice stdout'",
    port: 9050,
    client: "curl -s --max-time 5 http://$HOST:$PORT/",
    expect: /Tor is not an HTTP Proxy|This is a SOCKS/i,
  },
  {
    name: "rsyslog, UDP",
    packages: ["rsyslog", "netcat-openbsd"],
    files: {
      "rsyslog.conf": `
module(load="imudp")
input(type="imudp" port="5140")
template(name="t" type="string" string="%fromhost-ip% %msg%\\n")
*.* action(type="omfile" file="@DIR@/log" template="t")
`,
    },
    run: "exec rsyslogd -n -f $DIR/rsyslog.conf -i $DIR/pid",
    port: 5140,
    kind: "udp",
    client: "printf '<14>hello: hello\\n' | nc -u -w 1 $HOST $PORT; cat $DIR/log",
    expect: /hello/,
    logsPeerTo: "log",
  },
  {
    name: "FreeRADIUS",
    packages: ["freeradius", "freeradius-utils"],
    files: {
      "radiusd.conf": `
prefix = /usr
logdir = @DIR@
run_dir = @DIR@
libdir = /usr/lib/freeradius
pidfile = @DIR@/pid
log {
  destination = stdout
}
client any {
  ipaddr = 0.0.0.0/0
  secret = s
}
modules {
  always ok {
    rcode = ok
  }
}
server default {
  listen {
    type = status
    ipaddr = *
    port = 18120
  }
  authorize {
    Autz-Type Status-Server {
      ok
    }
  }
}
`,
    },
    run: "exec freeradius -fxx -l stdout -d $DIR",
    port: 18120,
    kind: "udp",
    client: "echo 'Message-Authenticator = 0x00' | radclient -x -t 3 $HOST:$PORT status s 2>&1",
    expect: /Received Access-/,
    logsPeerTo: "output",
  },
  {
    name: "strongSwan charon, IKE",
    packages: ["strongswan-charon", "netcat-openbsd"],
    files: {
      "strongswan.conf":
        "charon { load = random nonce aes sha1 sha2 hmac openssl socket-default kernel-netlink\n filelog { stderr { default = 1 } } }\n",
    },
    run: "STRONGSWAN_CONF=$DIR/strongswan.conf exec /usr/lib/ipsec/charon --debug-net 2",
    port: 500,
    kind: "udp",
    client: "printf x | nc -u -w 1 $HOST $PORT && echo sent",
    expect: /sent/,
  },
  {
    name: "NRPE",
    packages: ["nagios-nrpe-server", "netcat-openbsd"],
    files: {
      "nrpe.cfg":
        "server_port=5666\nnrpe_user=nobody\nnrpe_group=nogroup\nallowed_hosts=0.0.0.0/0\npid_file=@DIR@/pid\ncommand[x]=/bin/true\n",
    },
    dropsRoot: true,
    run: "exec nrpe -f -n -c $DIR/nrpe.cfg",
    port: 5666,
    client: "nc -vz -w 2 $HOST $PORT 2>&1",
    expect: /succeeded/,
  },
  {
    name: "TigerVNC, Xtigervnc",
    packages: ["tigervnc-standalone-server", "netcat-openbsd"],
    run: "exec Xtigervnc :41 -SecurityTypes None -rfbport 5941 -localhost=0",
    port: 5941,
    client: "nc -d -w 2 $HOST $PORT",
    expect: /RFB/,
    logsPeerTo: "output",
  },
  {
    name: "Munin node",
    packages: ["munin-node", "netcat-openbsd"],
    files: {
      "munin.conf":
        "host *\nport 4949\nuser root\ngroup root\nbackground 0\nsetsid 0\nlog_level 4\nlog_file @DIR@/log\npid_file @DIR@/pid\nhost_name hello\nallow ^.*$\nignore_file .\n",
    },
    run: "exec munin-node --config $DIR/munin.conf",
    port: 4949,
    client: "echo version | nc -w 2 $HOST $PORT",
    expect: /munins node on hello/,
    logsPeerTo: "log",
  },
  {
    name: "oidentd",
    packages: ["oidentd", "netcat-openbsd"],
    run: "exec oidentd --foreground --port 1113 --user nobody --group nogroup",
    port: 1113,
    client: "printf '1, 2\\r\\n' | nc -w 2 $HOST $PORT",
    expect: /NO-USER|UNKNOWN-ERROR|HIDDEN-USER/,
  },
  {
    name: "CUPS",
    packages: ["cups-daemon", "curl"],
    files: {
      "cupsd.conf":
        "Listen *:6310\nServerAlias *\nLogLevel debug\n<Location />\nAllow all\n</Location>\n",
      "cups-files.conf":
        "ServerRoot @DIR@\nAccessLog stderr\nErrorLog stderr\nCacheDir @DIR@/cache\nStateDir @DIR@/state\nRequestRoot @DIR@/spool\nTempDir @DIR@/tmp\n",
    },
    prepare: "mkdir cache state spool tmp",
    run: "exec cupsd -f -c $DIR/cupsd.conf -s $DIR/cups-files.conf",
    port: 6310,
    client: "curl -s --max-time 5 -i http://$HOST:$PORT/",
    expect: /CUPS/,
    logsPeerTo: "output",
  },
  {
    name: "Kerberos, krb5kdc",
    packages: ["krb5-kdc", "krb5-admin-server", "krb5-user"],
    files: {
      "kdc.conf":
        "[kdcdefaults]\nkdc_listen = 8888\nkdc_tcp_listen = 8888\n[realms]\nX.EXAMPLE = {\n database_name = @DIR@/db\n key_stash_file = @DIR@/stash\n acl_file = @DIR@/acl\n}\n[logging]\nkdc = FILE:@DIR@/log\n",
      "krb5.conf":
        "[libdefaults]\ndefault_realm = X.EXAMPLE\ndns_lookup_kdc = false\n[realms]\nX.EXAMPLE = {\n kdc = @HOST@:8888\n}\n",
    },
    prepare: `${kerberos}; kdb5_util create -s -P x -r X.EXAMPLE && kadmin.local -q 'addprinc -pw y hello'`,
    run: `${kerberos}; exec krb5kdc -n`,
    port: 8888,
    kind: "udp",
    client: `${kerberos}; echo y | kinit -c $DIR/cache hello; klist -c $DIR/cache`,
    expect: /krbtgt/,
    logsPeerTo: "log",
  },
  {
    name: "xrdp",
    packages: ["xrdp", "netcat-openbsd"],
    files: {
      "xrdp.ini":
        "[Globals]\nini_version=1\nport=3389\nfork=true\nsecurity_layer=rdp\n[Logging]\nLogFile=@DIR@/log\nLogLevel=DEBUG\nEnableSyslog=false\n[Xorg]\nname=Xorg\nlib=libxup.so\nport=-1\n",
    },
    run: "exec xrdp -n -c $DIR/xrdp.ini",
    port: 3389,
    // X.224's request for a connection, and its confirmation
    client:
      "printf '\\003\\000\\000\\023\\016\\340\\000\\000\\000\\000\\000\\001\\000\\010\\000\\000\\000\\000\\000' | nc -w 2 $HOST $PORT | od -An -tx1",
    expect: /03 00 00/,
    logsPeerTo: "log",
  },
  {
    name: "Motion, web interface",
    packages: ["motion", "curl"],
    unprivileged: true,
    files: {
      "motion.conf":
        "daemon off\nsetup_mode off\nwebcontrol_port 8080\nwebcontrol_localhost off\nnetcam_url http://127.0.0.1:9/\n",
    },
    run: "exec motion -n -c $DIR/motion.conf",
    port: 8080,
    client: "curl -s --max-time 5 http://$HOST:$PORT/",
    expect: /Motion/,
  },
  {
    name: "uStreamer",
    packages: ["ustreamer", "curl"],
    unprivileged: true,
    run: "exec ustreamer --host 0.0.0.0 --port 8080",
    port: 8080,
    client: "curl -s --max-time 5 http://$HOST:$PORT/state",
    expect: /"ok": true/,
  },
  {
    name: "collectd, network",
    packages: ["collectd-core", "python3"],
    files: {
      "collectd.conf":
        'Hostname "x"\nBaseDir "@DIR@"\nPIDFile "@DIR@/pid"\nLoadPlugin network\n<Plugin network>\n Listen "0.0.0.0" "25826"\n</Plugin>\nLoadPlugin csv\n<Plugin csv>\n DataDir "@DIR@/csv"\n</Plugin>\n',
    },
    run: "exec collectd -f -C $DIR/collectd.conf",
    port: 25826,
    kind: "udp",
    client: `python3 -c "
import os, socket, struct, time
text = lambda kind, value: struct.pack('>HH', kind, 5 + len(value)) + value + bytes(1)
number = lambda kind, value: struct.pack('>HHQ', kind, 12, value)
value = struct.pack('>HHHB', 6, 15, 1, 1) + struct.pack('<d', 1)
packet = text(0, b'hello') + number(1, int(time.time())) + number(7, 10) + text(2, b'load') + text(4, b'gauge') + value
socket.socket(type=socket.SOCK_DGRAM).sendto(packet, (os.environ['HOST'], int(os.environ['PORT'])))"; sleep 1; ls csv`,
    expect: /hello/,
  },
  {
    name: "saned",
    packages: ["sane-utils", "netcat-openbsd"],
    unprivileged: true,
    files: { "saned.conf": "127.0.0.1\n192.0.2.7\n" },
    run: "export SANE_CONFIG_DIR=$DIR; exec saned -l -b 0.0.0.0 -p 6566 -d 255 -e",
    port: 6566,
    // SANE_NET_INIT
    client:
      "printf '\\000\\000\\000\\000\\001\\000\\000\\003\\000\\000\\000\\000' | nc -w 3 $HOST $PORT | od -An -tx1",
    expect: /00 00 00 00 01/,
    logsPeerTo: "output",
  },
  {
    name: "Zabbix agent",
    packages: ["zabbix-agent", "netcat-openbsd"],
    unprivileged: true,
    files: {
      "zabbix.conf":
        "PidFile=@DIR@/pid\nLogType=console\nServer=0.0.0.0/0\nListenPort=10050\nHostname=hello\n",
    },
    run: "exec zabbix_agentd -f -c $DIR/zabbix.conf",
    port: 10050,
    client:
      "printf 'ZBXD\\001\\016\\000\\000\\000\\000\\000\\000\\000agent.hostname' | nc -w 2 $HOST $PORT",
    expect: /hello/,
  },
  {
    name: "rigctld",
    packages: ["libhamlib-utils", "netcat-openbsd"],
    unprivileged: true,
    run: "exec rigctld -m 1 -T 0.0.0.0 -t 4532",
    port: 4532,
    client: "printf 'f\\nq\\n' | nc -w 2 $HOST $PORT",
    expect: /145000000/,
  },
  {
    name: "swtpm",
    packages: ["swtpm", "swtpm-tools"],
    unprivileged: true,
    run: "exec swtpm socket --tpm2 --tpmstate dir=$DIR --seccomp action=kill --flags startup-clear --server type=tcp,port=2321,bindaddr=0.0.0.0 --ctrl type=tcp,port=2322,bindaddr=0.0.0.0",
    port: 2322,
    ports: "2321",
    client: "swtpm_ioctl --tcp $HOST:$PORT -c",
    expect: /ptm capability is/,
  },
  {
    name: "icecc-scheduler",
    packages: ["icecc", "netcat-openbsd"],
    unprivileged: true,
    run: "exec icecc-scheduler -p 8765 -n net -vvv",
    port: 8766,
    ports: "8765",
    client: "printf 'listcs\\nquit\\n' | nc -w 2 $HOST $PORT",
    expect: /200 done/,
  },
  {
    name: "rpcbind",
    packages: ["rpcbind"],
    run: "exec unshare -m sh -c 'mount -t tmpfs none /run && exec rpcbind -f'",
    port: 111,
    client: "rpcinfo -p $HOST",
    expect: /portmapper/,
  },
  {
    name: "Xvfb",
    packages: ["xvfb", "x11-utils"],
    unprivileged: true,
    run: "exec Xvfb :55 -ac -nolisten unix -nolisten local -listen tcp",
    port: 6055,
    client: "DISPLAY=$HOST:55 xdpyinfo",
    expect: /vendor string/,
  },
];
