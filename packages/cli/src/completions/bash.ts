import type { Entry, Values } from "./model.ts";

const GENERATORS = { files: "-f", users: "-u", groups: "-g", any: "-W ''" };

/* The arguments of compgen for a kind of value. */
function generator(values: Values): string {
  return values.kind === "words" ? `-W '${values.words.join(" ")}'` : GENERATORS[values.kind];
}

function valueCases({ name, options }: Entry): string[] {
  return options.flatMap(({ name: option, values }) =>
    values === undefined
      ? []
      : [`    ${name}:--${option}) __xsocket_offer ${generator(values)} ;;`],
  );
}

function wordCases({ name, options, positionals: [first, second] }: Entry): string[] {
  const flags = options.map((option) => `--${option.name}`).join(" ");
  return [
    `    ${name}:-*) __xsocket_offer -W '${flags}' ;;`,
    ...(first === undefined ? [] : [`    ${name}:*) ${argumentOffer(first, second)} ;;`]),
  ];
}

/* Offers the second argument, if there is one, once one of the first one's words is on the line. */
function argumentOffer(first: Values, second: Values | undefined): string {
  const offer = `__xsocket_offer ${generator(first)}`;
  if (first.kind !== "words") return offer;
  const isThere = `__xsocket_has ${first.words.join(" ")}`;
  if (second === undefined) return `${isThere} || ${offer}`;
  return `if ${isThere}; then __xsocket_offer ${generator(second)}; else ${offer}; fi`;
}

function separatorCase({ name, separators }: Entry): string {
  return separators.length === 0
    ? ""
    : `    ${separators.map((s) => `${name}:${s}`).join("|")}) return 0 ;;\n`;
}

/** The completion script of bash. It needs nothing but bash. */
export function bashScript(entries: readonly Entry[]): string {
  const names = entries.map(({ name }) => name).join(" ");
  return `# bash completion for xsocket, made by "xsocket completions bash"

__xsocket_offer() {
  local IFS=$'\\n'
  case $1 in
    -W) COMPREPLY=($(IFS=' '; compgen -W "$2" -- "$cur")) ;;
    *)
      COMPREPLY=($(compgen "$@" -- "$cur"))
      [ "$1" != -f ] || compopt -o filenames 2>/dev/null
      ;;
  esac
}

# Whether one of these words stands between the command and the cursor.
__xsocket_has() {
  local word
  for word; do
    case " \${COMP_WORDS[*]:2:COMP_CWORD-2} " in *" $word "*) return 0 ;; esac
  done
  return 1
}

# Whether a word ends the command's own arguments: a program comes after it.
__xsocket_ends() {
  case $1 in
${entries.map((entry) => separatorCase(entry)).join("")}    *) return 1 ;;
  esac
}

# Completes a program and its arguments, which start at word $1.
__xsocket_program() {
  if [ "$COMP_CWORD" -gt "$1" ] && declare -F _comp_command_offset >/dev/null; then
    _comp_command_offset "$1"
  elif [ "$COMP_CWORD" -gt "$1" ] && declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif [ "$COMP_CWORD" = "$1" ]; then
    __xsocket_offer -c
  else
    __xsocket_offer -f
  fi
}

__xsocket_own() {
  local command=$1
  case $command:$prev in
${entries.flatMap((entry) => valueCases(entry)).join("\n")}
    *)
      case $command:$cur in
${entries
  .flatMap((entry) => wordCases(entry))
  .map((line) => `    ${line}`)
  .join("\n")}
      esac
      ;;
  esac
}

_xsocket() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=serve i
  COMPREPLY=()
  # readline makes words of their own of "=": --port = 80
  if [ "$cur" = = ]; then cur=; elif [ "$prev" = = ]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if [ "\${COMP_WORDS[0]##*/}" != xsocket-server ]; then
    if [ "$COMP_CWORD" = 1 ]; then
      __xsocket_offer -W '${names} --help --version'
      return
    fi
    command=\${COMP_WORDS[1]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if __xsocket_ends "$command:\${COMP_WORDS[i]}"; then
      [ "\${COMP_WORDS[i+1]}" != -- ] || i=$((i + 1))
      __xsocket_program $((i + 1))
      return
    fi
  done
  __xsocket_own "$command"
}

complete -F _xsocket xsocket xsocket-server
`;
}
