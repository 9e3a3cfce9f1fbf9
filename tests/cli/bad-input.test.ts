import { expect, test } from "bun:test";
import { copyFileSync, linkSync, mkdirSync, symlinkSync } from "node:fs";
import { libraryPath } from "@xsocket/xbind-native";
import {
  expectSentence,
  HELD_TO_MODES,
  here,
  startServer,
  tempDir,
  typed,
  XSOCKET,
} from "../harness/index.ts";

const LONG = `/tmp/${"x".repeat(120)}`;

/* The arguments, the exit code, and what the message must contain: the fault and the remedy. */
const ROWS: readonly (readonly [words: string, code: 1 | 2, ...says: string[]])[] = [
  ["frob", 2, "frob", "xsocket --help"],
  ["lib --frob xbind", 2, "--frob", "xsocket lib --help"],
  ["serve ~/control", 2, "~/control", "$HOME/control"],
  ["run --port 1 --socket=~/control -- true", 2, "~/control", "$HOME/control"],
  ["serve --policy=~/rules /no/s", 2, "~/rules", "$HOME/rules"],
  ["serve --audit=~/audit /no/s", 2, "~/audit", "$HOME/audit"],
  ["serve --metrics=~/metrics /no/s", 2, "~/metrics", "$HOME/metrics"],
  ["serve unix:/run/xsocket/control", 2, "give a path, or @name", 'without "unix:"'],
  ["serve file:///run/xsocket/control", 2, "give a path, or @name", 'without "file:"'],
  ["doctor https://localhost", 2, "give a path, or @name", 'without "https:"'],
  ["run --port 1 --socket unix:@name -- true", 2, "give a path, or @name", 'without "unix:"'],
  ["serve start", 2, 'leave "start" out', "./start"],
  ["serve new/", 2, "new/ ends in a slash", "the path of a file"],
  ["serve --audit new/ /no/s", 2, "new/ ends in a slash", "the path of a file"],
  ["run --port 1 nc -l", 2, '"nc"', 'after "--"'],
  ["run --port 1 2 -- nc", 2, '"2" is one argument too many: see'],
  ["run /no/s --port 1 -- nc", 2, '"/no/s"', "a control socket goes after --socket"],
  ["lib xbind b", 2, '"b"', "--help"],
  ["lib frob", 2, "frob", "xbind"],
  ["lib", 2, "xsocket lib xbind"],
  ["run -- true", 2, "--port 3000"],
  ["run --port 1", 2, '"--"'],
  ["run --port 1 --", 2, '"--"'],
  ["run --port 1 -- '' argument", 2, "the program's name is empty", "xsocket run --help"],
  ["run --socket @nobody --port http -- true", 2, '"http" is not a port', "65535"],
  ["run --port", 2, "needs a value"],
  [`run --port 1 --socket ${LONG} -- true`, 2, LONG, "108", "shorter"],
  ["run --port 1 --socket '' -- true", 2, "the option --socket needs a value"],
  ["serve --policy=", 2, "the option --policy needs a value", "xsocket serve --help"],
  ["serve --user '' /no/s", 2, "the option --user needs a value"],
  ["--socket /no/s run", 2, "there is no option --socket before the command"],
  ["open --port 65536", 2, "--port", "from 0 to 65535", '"65536"'],
  ["open --exec", 2, "no program is given", "--exec PROGRAM"],
  ["open --json /no/s --exec true", 2, "nothing is shown", "leave --json out"],
  ["open --exec ''", 2, "the program's name is empty", "xsocket open --help"],
  ["open /nowhere/control --exec no-such-program", 1, "cannot run no-such-program"],
  ["doctor --port sctp/53", 2, '"sctp/53" is not a port', "udp/53"],
  ["doctor --port 53/udp", 2, '"53/udp" is not a port'],
  ["doctor --port http", 2, '"http" is not a port', "from 1 to 65535"],
  ["doctor --port 3000,3001", 2, "repeat --port for more than one"],
  ["doctor --port 0", 2, '"0" is not a port'],
  ["doctor --port 65536", 2, '"65536" is not a port'],
  ["bench --seconds 0.09", 2, "--seconds", "from 0.1 to 60", '"0.09"'],
  ["bench --seconds 60.1", 2, "--seconds", "from 0.1 to 60"],
  ["bench --seconds long", 2, "--seconds", '"long"'],
  ["run --socket @nobody --port 1 -- no-such-program", 1, "no-such-program"],
  ["run --socket @nobody --port 1 -- /etc", 1, "/etc: it is a directory", "path of a program"],
  [
    "run --socket @nobody --port 1 -- /etc/passwd",
    1,
    "/etc/passwd: it is not executable",
    "chmod +x",
  ],
  ["run --socket @nobody --port 1 -- /no/program", 1, "there is no such file", "check its path"],
  ["constructor", 2, 'no command "constructor"'], // a property of every JavaScript object
  ["sevre", 2, "did you mean serve?"],
  ["run --prot 1", 2, "did you mean --port?"],
  ["run -p 1", 2, "did you mean --port?"],
  ["-p 1 -- true", 2, "option -p before the command: see"], // not "policy"
  ["--verison", 2, "did you mean --version?"],
  ["version", 2, "did you mean --version?"],
  ["--status", 2, "did you mean status?"],
  ["policy test /dev/null --uid 4294967295", 2, "--uid", "4294967294"],
  ["open --family 5", 2, "--family takes 4 or 6", '"5"'],
  ["serve /etc/passwd/of/xsocket", 1, "/etc/passwd is not a directory", "another path"],
  ["serve /proc/xsocket", 1, "cannot make /proc/xsocket", "on a file system that supports sockets"],
  [`serve ${LONG}`, 2, LONG, "108", "shorter path"],
  ["serve @", 2, "empty", "@name"],
  ["serve --mode rw", 2, '"rw"', "0660"],
  ["serve --mode=-1", 2, '"-1"', "0660"],
  ["serve --mode 4660 /no/s", 2, '"4660"', "0660"],
  ["serve --mode 0600 @xsocket-bad", 2, "abstract", "path"],
  ["serve --group no-such-group /no/s", 1, 'there is no group "no-such-group"', "groupadd"],
  ["serve --allow-user , /no/s", 2, "--allow-user", '","', "separated by commas"],
  ["serve --allow-group root,,0 /no/s", 2, "--allow-group", '"root,,0"', "separated by commas"],
  ["serve --allow-user 1 --allow-user 2 /no/s", 2, "--allow-user is given more than once"],
  ["serve --allow-group 1 --allow-group 2 /no/s", 2, "--allow-group is given more than once"],
  ["serve --policy /x --policy /dev/null /no/s", 2, "--policy is given more than once"],
  ["policy test /dev/null --uid 7 --groups 1 --groups 2", 2, "--groups is given more than once"],
  ["serve --allow-group 5-3 /no/s", 2, "--allow-group", '"5-3"', "smaller id first"],
  ["serve --allow-user 7,4294967295-4294967299 /no/s", 2, "--allow-user", "to 4294967294"],
  ["serve --allow-user root\tdaemon /no/s", 2, "--allow-user", "separated by commas"],
  ["serve --user 1000:1000 /no/s", 2, "--user takes one user", '"1000:1000"'],
  ["serve --user root /no/s", 2, "--user root", "leave it out"],
  ["serve --user 0 /no/s", 2, "--user 0", "leave it out"],
  ["serve --user no-such-7 /no/s", 1, "useradd --system no-such-7"],
  ["serve --user 4294967295 /no/s", 2, "--user takes", "to 4294967294"],
  ["serve --allow-user 0,4294967295 /no/s", 2, "--allow-user takes", "to 4294967294"],
  ["policy check ''", 2, "no policy is named"],
  ["policy test /dev/null --uid 7 --status --type dgram", 2, "--status", "leave --type out"],
  ["policy test /dev/null --uid 7 --groups 1,,2", 2, "--groups", "separated by commas"],
  ["policy test /dev/null --uid 7 --groups no-such", 2, 'no group "no-such"'],
  ["serve --threads 0", 2, "--threads", "from 1 to 64"],
  [
    "serve --max-in-flight-per-user 3000000000",
    2,
    "--max-in-flight-per-user",
    "from 1 to 2147483647",
  ],
  ["serve --sockets-per-minute 0 /no/s", 2, "--sockets-per-minute", "from 1 to 16777215"],
  [`serve --metrics ${LONG} @bad-input-${process.pid}`, 2, "does not fit a UNIX socket address"],
  ["serve --metrics 0.0.0.0:1 /no/s", 2, "--metrics-remote"],
  ["serve --metrics 0 /no/s", 2, "port 0 means any free port"],
  ["serve --metrics http://127.0.0.1:9100 /no/s", 2, "neither an address nor a path"],
  ["serve --metrics-remote /no/s", 2, "add --metrics ADDRESS"],
  ["serve --audit - /no/s", 2, "/dev/stdout"],
  ["serve --policy x --allow-user root /no/s", 2, "--policy and --allow-user cannot be combined"],
  [
    "serve --policy x --sockets-per-minute 9 /no/s",
    2,
    "--policy and --sockets-per-minute cannot be combined",
  ],
  ["serve --log-format xml /no/s", 2, "--log-format takes pretty or json or journal"],
  [
    "serve --log-level loud /no/s",
    2,
    "--log-level takes error or warning or notice or info or debug",
  ],
  ["serve --threads 0x8", 2, "--threads", "0x8", "from 1 to 64"],
];

async function misuse(argv: readonly string[], code: number, ...says: string[]) {
  expectSentence(await here.run(argv), code, ...says);
}

test.each(ROWS)("xsocket %s: reports the error in one sentence", async (words, code, ...says) => {
  const argv = words.split(" ").map((word) => (word === "''" ? "" : word));
  await misuse([XSOCKET, ...argv], code, ...says);
});

test.each([
  ["run --port 1 --", "python3 -m http.server"],
  ["open --exec", "/bin/sh -c true"],
])("%s says that quotes make %o one word", async (words, program) => {
  const argv = [XSOCKET, ...words.split(" "), program];
  await misuse(argv, 1, program, "without the quotes around it");
});

test("a terminal that the process does not have is not taken for a FIFO", async () => {
  const path = `@bad-input-${process.pid}`;
  const argv = ["setsid", "--wait", XSOCKET, "serve", "--audit", "/dev/tty", path];
  await misuse(argv, 1, "audit file /dev/tty: ENXIO.", "Give the path of a file");
});

/* bash, because Bun.spawn cannot pass such an argument. */
test.each([
  "serve $'/tmp/\\xff/control'",
  "serve $'@\\xff'",
  "run --port 1 --socket $'\\xff' -- true",
  "status control",
  "serve --policy rules.toml @nobody",
])("refuses a path that is not UTF-8: %s", async (words) => {
  using dir = tempDir();
  const script = `cd "$1" && mkdir $'\\xff' && cd $'\\xff' && exec ${typed(XSOCKET)} ${words}`;
  await misuse(["bash", "-c", script, "bash", dir.path], 2, "is not UTF-8", "link");
});

const STREAM = "s = socket.socket(socket.AF_UNIX)";
const PACKETS = "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)";

const answering = (answer: string) => `c.recv(99)\nc.send(b"${answer}")`;

/* Starts a program that listens at a path, acts on one connection and ends. */
function otherServer(path: string, make: string, act: string) {
  const serve = `import socket\n${make}\ns.bind("${path}")\ns.listen()\nprint("ready", flush=True)\nc, _ = s.accept()\n${act}`;
  return here.spawn(["python3", "-c", serve]);
}

test.each([
  ["of another kind", STREAM, "Name the control socket", answering("garbage")],
  ["that answers in another language", PACKETS, "nothing else", answering("garbage")],
  ["that has another status", PACKETS, "nothing else", answering("XS04{}")],
  ["that has no JSON", PACKETS, "nothing else", answering("XS04{")],
  ["of a server without memory", PACKETS, "Free some there", answering(String.raw`XS02\0\0\0\x69`)],
  ["whose server ends", PACKETS, "The server was stopped", "c.recv(99, socket.MSG_PEEK)"],
])("status reports a socket %s in one sentence", async (_kind, make, remedy, act) => {
  using dir = tempDir();
  const path = dir.join("control");
  await using other = otherServer(path, make, act);
  await other.says(/ready/);
  await misuse([XSOCKET, "status", path], 1, path, remedy);
});

test("status names a library of another version", async () => {
  await using server = await startServer();
  using dir = tempDir();
  copyFileSync(libraryPath("xbind"), dir.join("libxsocket.so"));
  const argv = ["env", `XSOCKET_LIBDIR=${dir.path}`, XSOCKET, "status", server.path];
  await misuse(
    argv,
    1,
    dir.join("libxsocket.so"),
    "check that it is of this version, processor and C library",
  );
});

test("run warns that another program listens at the socket", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  await using other = otherServer(path, STREAM, answering("garbage"));
  await other.says(/ready/);
  const run = [XSOCKET, "run", "--port", "1", "--socket", path, "--", "echo", "ran"];
  const { stdout, stderr } = await here.run(run);
  expect(stdout).toBe("ran\n");
  expect(stderr).toMatch(
    /^xsocket: warning: [^\n]* the socket there is another program's[^\n]*\n$/,
  );
});

test("serve reports a directory without write permission", async () => {
  using dir = tempDir();
  const closed = dir.join("closed");
  mkdirSync(closed, { mode: 0o500 });
  const start = [...HELD_TO_MODES, XSOCKET, "serve", `${closed}/socket`];
  await misuse(start, 1, closed, "EACCES", "another user");
});

test("without a command prints the usage and exits with code 2", async () => {
  const { code, stdout, stderr } = await here.run([XSOCKET]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("USAGE xsocket");
});

test("reports an XSOCKET_BUN that is not Bun", async () => {
  for (const path of ["bun", "/nowhere/bun", "/usr/bin", "/etc/passwd"])
    await misuse(
      ["env", `XSOCKET_BUN=${path}`, XSOCKET, "--version"],
      1,
      `XSOCKET_BUN is "${path}", which is not the absolute path of a program that this user may run: `,
    );
});

test("the launcher alone reports that the rest of the command is missing", async () => {
  using dir = tempDir();
  const alone = dir.join("xsocket");
  copyFileSync(XSOCKET, alone);
  for (const argv of [["--version"], ["run", "--port", "1", "--", "true"]])
    await misuse([alone, ...argv], 1, "lib/xsocket/main.js", "with all its files");
});

test("prints each mistake of a policy with file and line", async () => {
  using dir = tempDir();
  const policy = dir.join("policy.toml");
  const types = Array(8).fill('"tcp"').join();
  const rules = `[[rule]]\naction = "alow"\n\n[[rule]]\naction = "deny"\ntype = [${types}]\n`;
  await Bun.write(policy, rules);
  for (const argv of [
    ["policy", "check", policy],
    ["serve", "--policy", policy, dir.join("control")],
  ]) {
    const { code, stdout, stderr } = await here.run([XSOCKET, ...argv]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.replaceAll(/^xsocket: .*\/policy\.toml:(\d+): (rule \d): .*$/gm, "$1 $2")).toBe(
      `2 rule 1\n${"6 rule 2\n".repeat(8)}`,
    );
  }
});

test("serve refuses to write its audit into its policy, by whatever name, but not beside it", async () => {
  using dir = tempDir();
  await Bun.write(dir.join("policy"), '[[rule]]\naction = "allow"\n');
  await Bun.write(dir.join("audit"), "");
  symlinkSync("policy", dir.join("link"));
  linkSync(dir.join("policy"), dir.join("second"));
  const before = ["env", "-C", dir.path, XSOCKET, "serve", "none/control"];
  const serve = (policy: string, audit: string) =>
    before.concat("--policy", policy, "--audit", audit);
  for (const name of ["policy", "link", "second"])
    await misuse(serve("policy", name), 2, dir.join(name), "a file of its own");
  for (const [policy, audit] of [
    ["policy", "audit"],
    ["/dev/null", "/dev/null"],
  ] as const)
    await misuse(serve(policy, audit), 1, dir.join("none"));
});
