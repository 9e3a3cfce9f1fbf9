import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { expectSentence, here, tempDir, XSOCKET } from "../harness/index.ts";

/* A cache of zsh's own completions, since finding them takes zsh longer than all else. */
const shared = tempDir();
afterAll(() => shared[Symbol.dispose]());
const DUMP = shared.join("zcompdump");
await here.run(["zsh", "-f", "-c", `autoload -Uz compinit; compinit -u -d '${DUMP}'`]);

/* A real line editor, on a pseudo-terminal; what it inserts or lists is read back. */
const zsh = (load: string): string => `
    zmodload zsh/zpty
    zpty z zsh -f -i
    expect() { local line; while zpty -r z line; do [[ $line == *$1* ]] && return; done }
    zpty -w z "PROMPT= ; autoload -Uz compinit; compinit -u -C -d '${DUMP}'; ${load}"
    zpty -w z 'compadd() { builtin compadd -A found "$@" 2>/dev/null; print -rl -- "\${found[@]}" >> $OUT; builtin compadd "$@" }'
    zpty -w z 'stop() { print -r -- STOPPED; exit }; zle -N stop; bindkey "^X" stop; print RE""ADY'
    expect READY
    zpty -w -n z "$1"$'\\t'$'\\x18'
    expect STOPPED
    cat $OUT`;

/* For each shell a script that prints what it offers for a line, one word a line. */
const ASK: Record<string, (script: string) => string> = {
  bash: (script) => `
    . '${script}'
    COMP_LINE=$1
    COMP_WORDS=(\${1//=/ = }) # readline splits at = too
    case $1 in *' ') COMP_WORDS+=('') ;; esac
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    complete -p "\${COMP_WORDS[0]##*/}" >/dev/null && _xsocket
    printf '%s\\n' "\${COMPREPLY[@]}"`,
  fish: (script) => `source '${script}'; complete -C $argv[1] | string replace -r '\\t.*' ''`,
  zsh: (script) => zsh(`source '${script}'`),
};

/* The completion script for each shell. */
const SCRIPTS: Record<string, string> = {};
for (const shell of Object.keys(ASK))
  SCRIPTS[shell] = (await here.run([XSOCKET, "completions", shell])).stdout;

async function offers(shell: string, line: string, how = ASK[shell]): Promise<string[]> {
  using dir = tempDir();
  writeFileSync(dir.join("script"), SCRIPTS[shell] ?? "");
  writeFileSync(dir.join("offered"), "");
  writeFileSync(dir.join("odd name"), "");
  const ask = how?.(dir.join("script")) ?? "";
  const start =
    shell === "fish" ? ["fish", "-N", "-c", ask, line] : [shell, "-c", ask, shell, line];
  const env = {
    HOME: dir.path,
    ZDOTDIR: dir.path,
    XDG_CONFIG_HOME: dir.path,
    OUT: dir.join("offered"),
  };
  const { stdout } = await here.run(start, { env, cwd: dir.path });
  return stdout.split("\n").map((word) => word.trim().replace(/^--[a-z-]+=/, "")); // fish has both in one
}

const { stdout: help } = await here.run([XSOCKET, "--help"]);
const COMMANDS = /^USAGE xsocket (\S+)/m.exec(help)?.[1]?.split("|") ?? [];
/* The options of each command that has some. */
const OPTIONS: [command: string, options: string[]][] = [];
for (const command of COMMANDS) {
  const { stdout } = await here.run([XSOCKET, command, "--help"]);
  const options = [...stdout.matchAll(/^ +(--[a-z-]+)/gm)].map(([, name = ""]) => name);
  if (options.length > 0) OPTIONS.push([command, options]);
}

/* A typed line, and words that must and must not be offered. */
const CASES: readonly (readonly [
  line: string,
  has: readonly string[],
  lacks: readonly string[],
])[] = [
  ["xsocket ", ["serve", "run", "doctor", "open", "bench", "completions"], ["--mode"]],
  ["xsocket r", ["run"], ["serve"]],
  ["xsocket lib ", ["xbind", "xsocket"], ["serve"]],
  ["xsocket completions ", ["bash", "fish", "zsh"], ["run"]],
  ["xsocket open --type ", ["stream", "dgram"], ["--type"]],
  ["xsocket --", ["--help", "--version"], ["serve"]],
  ["xsocket scr", [], ["script"]],
  ["xsocket serve --he", ["--help"], []],
  ["xsocket serve --user syn", ["sync"], []],
  ["xsocket serve --user shado", [], ["shadow"]],
  ["xsocket serve --group shado", ["shadow"], []],
  ["xsocket serve --group syn", [], ["sync"]],
  ["xsocket serve --mode scr", [], ["script"]],
  ["xsocket serve --policy scr", ["script"], []],
  ["xsocket serve --log-level=", ["error", "debug"], ["--log-level"]],
  ["xsocket serve --log-level=err", ["error"], ["debug"]],
  ["xsocket status scr", ["script"], []],
  ["xsocket run --port 1 --po", ["--port"], []],
  ["xsocket-server --log-level ", ["error", "debug"], ["--log-level"]],
  ["xsocket-server --thr", ["--threads"], []],
  ["/usr/bin/xsocket-server --thr", ["--threads"], []],
  ["xsocket serve --log-level ", ["error", "debug"], ["--log-level"]],
  ["xsocket policy ", ["check", "test"], []],
  ["xsocket policy check ", ["script"], ["check", "test"]],
  ["xsocket policy check scri", ["script"], []],
  ["xsocket policy test file --family AF_INET", ["AF_INET", "AF_INET6"], ["AF_UNIX"]],
  ["xsocket policy test file --type ", ["SOCK_STREAM", "SOCK_RAW"], ["stream"]],
  ["xsocket policy test file --protocol=", ["IPPROTO_UDP"], ["script"]],
  ["xsocket lib xbind ", [], ["xbind", "xsocket"]],
  ["xsocket run --port 1 -- seq", ["seq"], ["serve"]],
  ["xsocket run --port 1 -- cat offe", ["offered"], []],
  ["xsocket run --port 1 -- seq --por", [], ["--port"]],
  ["xsocket status -- seq", [], ["seq"]],
  ["xsocket open --exec seq", ["seq"], []],
  ["xsocket open --exec -- seq", ["seq"], []],
  ["xsocket open --exec seq --fam", [], ["--family"]],
  ["xsocket run --socket scr", ["script"], []],
  ["xsocket run scr", [], ["script"]],
  ["xsocket run --socket odd", [], ["odd"]],
  ["xsocket lib xbind", ["xbind"], []],
];

describe.each(Object.keys(ASK))("%s", (shell) => {
  test.each(CASES)("completes %j", async (line, has, lacks) => {
    const found = await offers(shell, line);
    for (const word of has) expect(found).toContain(word);
    for (const word of lacks) expect(found).not.toContain(word);
  });

  test.each(OPTIONS)("knows every option of %s", async (command, options) => {
    const found = await offers(shell, `xsocket ${command} --`);
    for (const option of options) expect(found).toContain(option);
  });
});

test("the help lists more than forty options", () =>
  expect(OPTIONS.flatMap(([, options]) => options).length).toBeGreaterThan(40));

test("zsh loads the script from a directory in fpath", async () => {
  const found = await offers("zsh", "xsocket r", (script) =>
    zsh(`ln -s '${script}' _xsocket; fpath+=($PWD); compinit -u -D`),
  );
  expect(found).toContain("run");
});

test.each(["tcsh", "constructor"])("reports a shell without completions: %s", async (shell) => {
  const says = /^xsocket: there are no completions for "\w+".*bash, fish, zsh/;
  expectSentence(await here.run([XSOCKET, "completions", shell]), 2, says);
});
