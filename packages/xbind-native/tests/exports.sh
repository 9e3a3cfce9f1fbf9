#!/bin/sh
# exports.sh - a library exports what its map lists, and nothing else
#
# usage: exports.sh NM LIBRARY MAP [NAME...]
#
# A NAME is one of the map that this kind of machine has not.
set -eu

nm=$1 library=$2 map=$3
shift 3
absent=" $* "

# Names (and patterns that end in *) between "global:" and "local:" or "}".
listed=$(sed -n '/global:/,/local:\|^}/s/^[[:space:]]*\([A-Za-z0-9_*]*\);.*/\1/p' "$map" | grep -v '^\*$')
exported=$("$nm" -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }')
failed=0

is_listed() {
	for pattern in $listed; do
		# shellcheck disable=SC2254 # a pattern it is
		case $1 in
		$pattern) return 0 ;;
		esac
	done
	return 1
}

set -f
for name in $exported; do
	is_listed "$name" || { echo "$library exports $name, which $map does not list"; failed=1; }
done
for name in $listed; do
	case $name in
	*\*) continue ;;
	esac
	case $absent in
	*" $name "*) continue ;;
	esac
	echo "$exported" | grep -qx "$name" || { echo "$library does not export $name"; failed=1; }
done
exit $failed
