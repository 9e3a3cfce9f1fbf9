#!/bin/sh
# deepbind.sh - what libxbind exports is found by a plugin that searches libc first, too
#
# usage: deepbind.sh MAP SOURCE
#
# SOURCE has a row for each function of the map, but for that of 32 bits, where plugins are not followed.
set -eu
map=$1 source=$2

hooked=$(sed -n 's/^\t\t\([a-z][a-z0-9_]*\);$/\1/p' "$map" | grep -v '^libxbind_')
rows=$(sed -n 's/^    {"\([a-z0-9_]*\)", (void \*)hook_\1},$/\1/p' "$source")
[ -n "$hooked" ]
[ "$hooked" = "$rows" ] || {
	printf '%s lists\n%s\nand %s has rows for\n%s\n' "$map" "$hooked" "$source" "$rows"
	exit 1
}
