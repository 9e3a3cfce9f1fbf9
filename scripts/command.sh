#!/bin/sh
# command.sh DIRECTORY: bundles the command for installation: its script, its workers, Bun itself, and
# in a directory of their own what shells need to complete it.
set -eu
directory=$1
rm -rf "$directory"
mkdir -p "$directory"
bun build --target=bun --outfile="$directory/main.js" packages/cli/src/main.ts >/dev/null
# The pool starts its threads from a file of this name beside it, whatever is in it.
bun build --target=bun --outfile="$directory/_worker.ts" packages/server/src/_worker.ts >/dev/null
mkdir "$directory/completions"
for shell in bash fish zsh; do
	packages/cli/bin/xsocket completions "$shell" >"$directory/completions/$shell"
done
install -m 0755 "$(command -v bun)" "$directory/bun"
