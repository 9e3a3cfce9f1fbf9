#!/bin/sh
# glibc.sh - every glibc from 2.17 on can load a library, as it can run Bun
#
# usage: glibc.sh NM READELF LIBRARY
set -eu
nm=$1 readelf=$2 library=$3

newest=$("$nm" -D --undefined-only "$library" | sed -n 's/.*@GLIBC_//p' | sort -V | tail -1)
[ -n "$newest" ] || { echo "$library names no version of glibc"; exit 1; }
[ "$(printf '%s\n2.17\n' "$newest" | sort -V | tail -1)" = 2.17 ] ||
	{ echo "$library needs glibc $newest: see core/glibc.h"; exit 1; }

# Before 2.34, threads and dlerror(3) were in libraries of their own.
needs()
{
	"$nm" -D --undefined-only "$library" | grep -qE " U ($1)@" || return 0
	"$readelf" -d "$library" | grep -q "NEEDED.*\[$2\]" || { echo "$library is not linked with $2"; exit 1; }
}
needs 'pthread_(create|join|sigmask)' libpthread.so.0
needs dlerror libdl.so.2
