#!/bin/sh
# ./dev bench NAME [ARGUMENT...]: runs packages/*/bench/NAME.ts
set -eu

name=${1-}
[ $# = 0 ] || shift
for file in packages/*/bench/"$name".ts; do
	[ ! -e "$file" ] || exec bun "$file" "$@"
done
echo "usage: ./dev bench server|sdk|xbind" >&2
exit 2
