#!/bin/sh
# xbind.sh - what libxbind.so costs: a table on stdout, and JSON in build/bench/xbind.json
#
# usage: xbind.sh [BUILD DIRECTORY]
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd)
native=${1:-$root/build/release}/packages/xbind-native
json=$root/build/bench/xbind.json

mkdir -p "$root/build/bench"
"$native/tests/pair" -s "$native/bench/bench_floor" -x 3000-3999 -p "$native/libxbind.so" \
	"$native/bench/bench_xbind" "$json"
echo "written to $json"
