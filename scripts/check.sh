#!/bin/sh
# ./dev check: everything that must hold before a change is taken in, from the cheap to the dear.
# shellcheck disable=SC2317 # functions are called by step
set -eu
. scripts/steps.sh

c_sources() {
	find packages tests \( -name node_modules -o -name build \) -prune \
		-o \( -name '*.c' -o -name '*.h' \) -print
}

c_format() {
	# shellcheck disable=SC2046 # no source has a space in its name
	clang-format-19 --dry-run -Werror $(c_sources)
}

# sanitized PRESET: builds with the preset's sanitizer, warnings being errors as in every build.
sanitized() {
	cmake --preset "$1" && cmake --build --preset "$1" --parallel 2
}

step format bun node_modules/oxfmt/bin/oxfmt --check .
step c-format c_format
step shell shellcheck -x dev .ci/run scripts/*.sh
step lint bun node_modules/oxlint/bin/oxlint --type-aware
step types bun node_modules/typescript/bin/tsc -p .
step build-asan sanitized asan
ctest_step asan build/asan
step build-fuzz sanitized fuzz
ctest_step fuzz build/fuzz -R '^fuzz_'
step build-tsan sanitized tsan
ctest_step tsan build/tsan
ctest_step c-tests build/release
bun_step bun-tests --parallel=2
summary
