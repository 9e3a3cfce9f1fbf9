import type { Program } from "../program.ts";

const memcachedStats = `
const dgram = require("node:dgram");
const socket = dgram.createSocket(process.env.HOST.includes(":") ? "udp6" : "udp4");
socket.on("message", (m) => { console.log(m.subarray(8).toString()); process.exit(0); });
socket.send(Buffer.from("\\0\\x01\\0\\0\\0\\x01\\0\\0version\\r\\n"), process.env.PORT, process.env.HOST);
setTimeout(() => process.exit(1), 3000);
`;

/** Databases, caches and queues. */
export const data: readonly Program[] = [
  {
    name: "Redis",
    packages: ["redis-server", "redis-tools"],
    run: "exec redis-server --port 6379 --protected-mode no --save '' --loglevel verbose",
    port: 6379,
    client:
      "redis-cli -h $HOST set key value; redis-cli -h $HOST get key; redis-cli -h $HOST info clients",
    expect: /value[^]*connected_clients:1/,
    logsPeerTo: "output",
    quick: true,
  },
  {
    name: "Valkey, io-threads",
    packages: ["valkey-server", "valkey-tools"],
    run: "exec valkey-server --port 6379 --protected-mode no --save '' --loglevel verbose --io-threads 2",
    port: 6379,
    client: "valkey-cli -h $HOST set key value; valkey-cli -h $HOST get key",
    expect: /value/,
    logsPeerTo: "output",
  },
  {
    name: "memcached, TCP",
    packages: ["memcached"],
    dropsRoot: true,
    run: "exec memcached -u nobody -p 11211 -vv",
    port: 11211,
    client: "printf 'set k 0 0 5\\r\\nvalue\\r\\nget k\\r\\nquit\\r\\n' | nc -w 3 $HOST $PORT",
    expect: /STORED[^]*value/,
  },
  {
    name: "memcached, UDP",
    packages: ["memcached"],
    files: { "client.js": memcachedStats },
    dropsRoot: true,
    run: "exec memcached -u nobody -p 11211 -U 11211",
    port: 11211,
    kind: "udp",
    client: "$BUN client.js",
    expect: /VERSION/,
  },
  {
    name: "PostgreSQL",
    packages: ["postgresql", "postgresql-client"],
    version: "psql --version",
    unprivileged: true,
    prepare:
      "PATH=$(echo /usr/lib/postgresql/*/bin | tr ' ' :):$PATH; initdb -D data -A trust -U nobody --no-sync >init.log && echo 'host all all all trust' >> data/pg_hba.conf",
    run: "PATH=$(echo /usr/lib/postgresql/*/bin | tr ' ' :):$PATH; exec postgres -D data -k $DIR -p 5432 -c listen_addresses='*' -c log_connections=on -c fsync=off",
    port: 5432,
    client: "psql -h $HOST -U nobody -d postgres -Atc 'select inet_client_addr(), 6*7'",
    expect: /\|42/,
    logsPeerTo: "output",
  },
  {
    name: "PostgreSQL, started by pg_ctlcluster",
    packages: ["postgresql", "postgresql-client"],
    version: "psql --version",
    unprivileged: true,
    prepare:
      "PG_CLUSTER_CONF_ROOT=$DIR/etc pg_createcluster -d $DIR/data -l $DIR/log -s $DIR -p 5432 $(ls /usr/lib/postgresql) x -- -A trust -U nobody --no-sync && cd etc/*/x && echo 'host all all all trust' >>pg_hba.conf && printf \"listen_addresses = '*'\\nlog_connections = on\\n\" >>postgresql.conf",
    run: `
for name in LD_PRELOAD XBIND XSOCKET; do
  printenv $name >/dev/null && echo "$name = '$(printenv $name)'"
done >>etc/$(ls etc)/x/environment
export PG_CLUSTER_CONF_ROOT=$DIR/etc
exec pg_ctlcluster $(ls etc) x start --foreground
`,
    port: 5432,
    client: "psql -h $HOST -U nobody -d postgres -Atc 'select inet_client_addr(), 6*7'",
    expect: /\|42/,
    logsPeerTo: "output",
    remark:
      "LD_PRELOAD, XBIND and XSOCKET must be in the cluster's file `environment`, as in /etc/postgresql/15/main: the server gets nothing else, and would open its port in its own namespace",
  },
  {
    name: "MariaDB",
    packages: ["mariadb-server-core", "mariadb-client-core"],
    prepare:
      "mariadb-install-db --no-defaults --user=root --datadir=$DIR/data --auth-root-authentication-method=normal >init.log 2>&1 && printf \"create user x@'%%';\" > init.sql",
    run: "exec mariadbd --no-defaults --user=root --datadir=$DIR/data --socket=$DIR/sock --port=3306 --init-file=$DIR/init.sql --skip-name-resolve",
    port: 3306,
    client: "mariadb --no-defaults --skip-ssl -h $HOST -u x -e 'select user(), 6*7'",
    expect: /42/,
  },
  {
    name: "beanstalkd",
    packages: ["beanstalkd"],
    run: "exec beanstalkd -p 11300",
    port: 11300,
    client: "printf 'put 0 0 5 5\\r\\nhello\\r\\npeek-ready\\r\\nquit\\r\\n' | nc -w 3 $HOST $PORT",
    expect: /hello/,
  },
  {
    name: "Mosquitto",
    packages: ["mosquitto", "mosquitto-clients"],
    files: { "mosquitto.conf": "listener 1883\nallow_anonymous true\nuser nobody\n" },
    dropsRoot: true,
    run: "exec mosquitto -v -c mosquitto.conf",
    port: 1883,
    client: "mosquitto_pub -h $HOST -t news -r -m hello; mosquitto_sub -h $HOST -t news -C 1 -W 3",
    expect: /hello/,
    logsPeerTo: "output",
  },
  {
    name: "Redis, CONFIG SET port while it runs",
    packages: ["redis-server", "redis-tools"],
    run: "(sleep 1; redis-cli config set port 6400) & exec redis-server --port 6379 --protected-mode no --save ''",
    port: 6400,
    client: "redis-cli -h $HOST -p $PORT ping",
    expect: /PONG/,
  },
  {
    name: "RabbitMQ",
    packages: ["rabbitmq-server", "binutils"],
    files: { "rabbit.conf": "listeners.tcp.default = 5672\nlog.console = true\n" },
    prepare: "mkdir m l",
    run: "export RABBITMQ_MNESIA_BASE=$DIR/m RABBITMQ_LOG_BASE=$DIR/l RABBITMQ_NODENAME=x@localhost RABBITMQ_CONFIG_FILE=$DIR/rabbit.conf RABBITMQ_PID_FILE=$DIR/pid RABBITMQ_ENABLED_PLUGINS_FILE=$DIR/plugins; exec /usr/lib/rabbitmq/bin/rabbitmq-server",
    port: 5672,
    client: "printf 'AMQP\\000\\000\\011\\001' | nc -w 2 $HOST $PORT | strings",
    expect: /RabbitMQ/,
    logsPeerTo: "output",
    remark:
      "do not list 4369 or 25672: its parts speak to each other over these ports of their own namespace",
  },
  {
    name: "ZooKeeper",
    packages: ["zookeeper", "default-jre-headless"],
    files: {
      "zoo.cfg":
        "tickTime=2000\ndataDir=@DIR@/d\nclientPort=2181\n4lw.commands.whitelist=*\nadmin.enableServer=false\n",
    },
    run: "exec java -cp '/usr/share/java/*:/etc/zookeeper/conf' org.apache.zookeeper.server.quorum.QuorumPeerMain $DIR/zoo.cfg",
    port: 2181,
    client: "printf ruok | nc -w 3 $HOST $PORT",
    expect: /imok/,
  },
  {
    name: "OpenLDAP slapd",
    packages: ["slapd", "ldap-utils"],
    files: {
      "slapd.conf":
        'include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\ndatabase mdb\nsuffix "dc=x"\nrootdn "cn=a,dc=x"\nrootpw x\ndirectory @DIR@/db\n',
    },
    prepare: "mkdir db",
    run: "exec slapd -d 256 -f $DIR/slapd.conf -h ldap://:3890",
    port: 3890,
    client: "ldapsearch -x -H ldap://$HOST:$PORT -b '' -s base namingContexts",
    expect: /dc=x/,
    logsPeerTo: "output",
  },
  {
    name: "Gearman",
    packages: ["gearman-job-server", "netcat-openbsd"],
    unprivileged: true,
    run: "exec gearmand -p 4730 -l stderr --verbose DEBUG",
    port: 4730,
    client: "printf 'version\\n' | nc -w 2 $HOST $PORT",
    expect: /OK \d/,
  },
  {
    name: "Open vSwitch, ovsdb-server",
    packages: ["openvswitch-common"],
    files: {
      schema:
        '{"name":"hello","version":"1.0.0","tables":{"t":{"columns":{"c":{"type":"string"}}}}}',
    },
    prepare: "ovsdb-tool create db schema",
    run: "exec ovsdb-server --remote=ptcp:6640:0.0.0.0 --unixctl=$DIR/control -vjsonrpc:console:dbg $DIR/db",
    port: 6640,
    client: "ovsdb-client --timeout=4 list-dbs tcp:$HOST:$PORT",
    expect: /hello/,
    logsPeerTo: "output",
  },
];
