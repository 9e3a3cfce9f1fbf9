#!/bin/sh
# ./dev uninstall [--prefix DIRECTORY]: removes what ./dev install has installed, and nothing else.
set -eu
. scripts/prefix.sh

if [ ! -f "$manifest" ]; then
	echo "dev: nothing is installed below $prefix (there is no $manifest): name the directory by --prefix" >&2
	exit 1
fi
if [ ! -w "${manifest%/*}" ]; then
	echo "dev: this user may not remove what is below $prefix: run it as root" >&2
	exit 1
fi
list=$(mktemp)
trap 'rm -f "$list"' EXIT
{ listed && printf '%s\n' "$manifest"; } >"$list"
grep -v '/$' "$list" | take_away
grep '/$' "$list" | take_directories_away
if [ "$(id -u)" = 0 ]; then
	ldconfig 2>/dev/null || true
	[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
fi
echo "removed from $prefix" >&2
