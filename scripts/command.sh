#!/bin/sh
# command.sh DIRECTORY: makes the command for installation: its script, its workers, Bun itself, and
# in a directory of their own what shells need to complete it.
set -eu
directory=$1
sh scripts/bundle.sh "$directory"
mkdir "$directory/completions"
for shell in bash fish zsh; do
	packages/cli/bin/xsocket completions "$shell" >"$directory/completions/$shell"
done
install -m 0755 "$(command -v bun)" "$directory/bun"
