#!/bin/sh
# glibc.sh - every glibc from a version on can load a file: a library from 2.17 on, as it can run Bun, and
# the launcher from 2.34 on, which a program asks for since that
#
# usage: glibc.sh NM READELF FILE VERSION
set -eu
nm=$1 readelf=$2 library=$3 oldest=$4

newest=$("$nm" -D --undefined-only "$library" | sed -n 's/.*@GLIBC_//p' | sort -V | tail -1)
[ -n "$newest" ] || { echo "$library names no version of glibc"; exit 1; }
[ "$(printf '%s\n%s\n' "$newest" "$oldest" | sort -V | tail -1)" = "$oldest" ] ||
	{ echo "$library needs glibc $newest: see core/glibc.h"; exit 1; }

# Before 2.34, threads and dlerror(3) were in libraries of their own.
needs()
{
	"$nm" -D --undefined-only "$library" | grep -qE " U ($1)@" || return 0
	"$readelf" -d "$library" | grep -q "NEEDED.*\[$2\]" || { echo "$library is not linked with $2"; exit 1; }
}
needs 'pthread_(create|join|sigmask)' libpthread.so.0
needs dlerror libdl.so.2
