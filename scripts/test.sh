#!/bin/sh
# ./dev test [FILE...]: the C tests and the tests in TypeScript; with files, those alone, in full view.
set -eu

if [ $# -gt 0 ]; then
	exec bun test --timeout 60000 "$@"
fi
. scripts/steps.sh
ctest_step c-tests build/release
bun_step bun-tests --parallel=2
summary
