#!/bin/sh
# glibc.sh - every glibc from 2.17 on can load a library, as it can run Bun
#
# usage: glibc.sh NM LIBRARY
set -eu

newest=$("$1" -D --undefined-only "$2" | sed -n 's/.*@GLIBC_//p' | sort -V | tail -1)
[ -n "$newest" ] || { echo "$2 names no version of glibc"; exit 1; }
[ "$(printf '%s\n2.17\n' "$newest" | sort -V | tail -1)" = 2.17 ] ||
	{ echo "$2 needs glibc $newest: see core/glibc.h"; exit 1; }
