import type { Entry, Option, Values } from "./model.ts";

/* Text within single quotes, in a place where _arguments reads brackets and colons. */
function escaped(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, String.raw`\$&`).replaceAll("'", String.raw`'\''`);
}

const ACTIONS = { files: "_files", users: "_users", groups: "_groups", any: " " };

function action(values: Values): string {
  return values.kind === "words" ? `(${values.words.join(" ")})` : ACTIONS[values.kind];
}

function optionSpec({ name, description, values }: Option): string {
  const text = `[${escaped(description)}]`;
  return values === undefined
    ? `'--${name}${text}'`
    : `'*--${name}=${text}:${name}:${action(values)}'`;
}

function commandCase({ name, options, positionals, separators }: Entry): string {
  const specs = [
    ...options.map((option) => optionSpec(option)),
    ...positionals.map((values, index) => `'${index + 1}::argument:${action(values)}'`),
  ];
  const program =
    separators.length > 0 ? `__xsocket_program ${separators.join(" ")} && return\n      ` : "";
  return `    ${name})
      ${program}_arguments ${specs.join(" \\\n        ")}
      ;;`;
}

/** The completion function of zsh. */
export function zshScript(entries: readonly Entry[]): string {
  const described = entries.map(({ name, description }) => `    '${name}:${escaped(description)}'`);
  return `#compdef xsocket xsocket-server
# zsh completion for xsocket, made by "xsocket completions zsh"

# Completes a program after one of the words given; fails where none is before the cursor.
__xsocket_program() {
  local -i i
  for ((i = 2; i < CURRENT; i++)); do
    (( \${@[(Ie)$words[i]]} )) || continue
    [[ $words[i+1] == -- ]] && (( i + 1 < CURRENT )) && (( i++ ))
    shift $i words
    (( CURRENT -= i ))
    _normal
    return 0
  done
  return 1
}

__xsocket_own() {
  case $words[1] in
${entries.map((entry) => commandCase(entry)).join("\n")}
  esac
}

_xsocket() {
  local -a own # not "commands": that is zsh's own table of programs
  own=(
${described.join("\n")}
  )
  if [[ \${words[1]:t} == xsocket-server ]]; then
    words[1]=serve
  elif (( CURRENT == 2 )); then
    if [[ $words[2] == -* ]]; then
      compadd -- --help --version
    else
      _describe command own
    fi
    return
  else
    shift words
    (( CURRENT-- ))
  fi
  __xsocket_own
}

if [[ $funcstack[1] == _xsocket ]]; then
  _xsocket "$@"
else
  compdef _xsocket xsocket xsocket-server
fi
`;
}
