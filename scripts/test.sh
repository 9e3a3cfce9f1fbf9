#!/bin/sh
# ./dev test [FILE|DIRECTORY...] [-t NAME]: the C tests and the tests in TypeScript; with files, those alone, in full view.
set -eu
. scripts/steps.sh

# has FILE NAME: whether it is a directory with a file of such a name.
has() {
	[ -d "$1" ] && [ "$(find "$1" -name "$2" -print -quit)" ]
}

if [ $# -gt 0 ]; then
	c_tests=''
	for file in "$@"; do
		shift
		case $file in
		*.c)
			file=${file##*/}
			c_tests="$c_tests|${file%.c}"
			;;
		*)
			if has "$file" 'test_*.c'; then
				c_tests="$c_tests|.*" # they are all in one directory
				has "$file" '*.test.ts' || continue
			fi
			set -- "$@" "$file"
			;;
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
