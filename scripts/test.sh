#!/bin/sh
# ./dev test [FILE|DIRECTORY...] [-t NAME]: the C tests and the tests in TypeScript; with files, those alone, in full view.
set -eu
. scripts/steps.sh

if [ $# -gt 0 ]; then
	c_tests=''
	for file in "$@"; do
		shift
		case $file in
		*.c)
			file=${file##*/}
			c_tests="$c_tests|${file%.c}"
			;;
		*) set -- "$@" "$file" ;;
		esac
	done
	[ -z "$c_tests" ] || ctest --test-dir build/release --output-on-failure --no-tests=error \
		-R "^(${c_tests#|})(\.|\$)" || status=1
	[ $# = 0 ] || bun_tests "$@" || status=1
	exit $status
fi
new_logs
ctest_step c-tests build/release
bun_step bun-tests --parallel=2
summary
