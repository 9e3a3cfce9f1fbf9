import type { Entry, Option, Values } from "./model.ts";

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}

const OFFERS = {
  files: "-rF",
  users: "-xa '(__fish_complete_users)'",
  groups: "-xa '(__fish_complete_groups)'",
  any: "-x",
};

function offer(values: Values): string {
  return values.kind === "words" ? `-xa ${quoted(values.words.join(" "))}` : OFFERS[values.kind];
}

function optionLine(complete: string, { name, description, values }: Option): string {
  const value = values === undefined ? "" : ` ${offer(values)}`;
  return `${complete} -l ${name} -d ${quoted(description)}${value}`;
}

function entryLines({ name, description, options, positionals, separators }: Entry): string[] {
  const [first, second] = positionals;
  return [
    `complete -c xsocket -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ...options.map((option) => optionLine(`__xsocket_complete ${name}`, option)),
    ...(first === undefined ? [] : [positionalLine(name, first)]),
    ...(first?.kind === "words" && second?.kind === "files"
      ? [`complete -c xsocket -n '__xsocket_within ${name}; and ${behind(first.words)}' -F`]
      : []),
    ...(separators.length === 0 ? [] : [programLine(name, separators)]),
  ];
}

/* The condition that one of the first argument's words is on the line already. */
function behind(words: readonly string[]): string {
  return `__fish_seen_subcommand_from ${words.join(" ")}`;
}

function positionalLine(name: string, of: Values): string {
  return of.kind === "words"
    ? `complete -c xsocket -n '__xsocket_within ${name}; and not ${behind(of.words)}' ${offer(of)}`
    : `__xsocket_complete ${name} ${offer(of)}`;
}

function programLine(name: string, separators: readonly string[]): string {
  const test = `__xsocket_program ${name} ${separators.join(" ")}`;
  return `complete -c xsocket -n ${quoted(test)} -xa '(__xsocket_program_complete)'`;
}

/** The completion script of fish. */
export function fishScript(entries: readonly Entry[]): string {
  const server = entries.find(({ name }) => name === "serve");
  const serverLines = (server?.options ?? []).map((option) =>
    optionLine("complete -c xsocket-server", option),
  );
  return `# fish completion for xsocket, made by "xsocket completions fish"

# The command's words before the cursor, where the command is this one and its program has begun.
function __xsocket_program
    set -l words (commandline -opc)
    test "$words[2]" = $argv[1]; or return 1
    for word in $words[3..]
        contains -- $word $argv[2..]; and return 0
    end
    return 1
end

function __xsocket_within
    set -l words (commandline -opc)
    test "$words[2]" = $argv[1]; and not __xsocket_program $argv[1] -- --exec
end

function __xsocket_complete
    complete -c xsocket -n "__xsocket_within $argv[1]" $argv[2..]
end

# What fish knows about the program after the first separator.
function __xsocket_program_complete
    set -l words (commandline -opc)
    for i in (seq 3 (count $words))
        if contains -- $words[$i] -- --exec
            set -l rest $words[(math $i + 1)..]
            test "$rest[1]" = --; and set -e rest[1]
            complete -C (string join ' ' -- (string escape -- $rest) (commandline -ct))
            return
        end
    end
end

complete -c xsocket -f
complete -c xsocket -n __fish_use_subcommand -l help -d 'Show the help'
complete -c xsocket -n __fish_use_subcommand -l version -d 'Show the version'
${entries.flatMap((entry) => entryLines(entry)).join("\n")}
${serverLines.join("\n")}
`;
}
