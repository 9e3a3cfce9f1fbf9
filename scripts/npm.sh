#!/bin/sh
# ./dev npm: makes the npm tarballs in build/npm (npm.ts says how).
set -eu
. scripts/musl-arm64.sh
exec bun scripts/npm.ts
