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

# built PRESET: builds with the preset's compiler and sanitizer, warnings being errors everywhere.
built() {
	cmake --preset "$1" && cmake --build --preset "$1" --parallel 2
}

# The units under a booted systemd, where one can be booted. Where not, that is said, and counts.
systemd_step() {
	timed systemd env NO_COLOR=1 sh -c 'sh scripts/systemd-test.sh || [ $? = 77 ]'
	if grep "NOT RUN" "$logs/systemd.log"; then
		skipped=$((skipped + 1))
	else
		add "$(bun_count systemd pass)" "$(bun_count systemd fail)" "$(bun_count systemd skip)"
	fi
}

step format bun node_modules/oxfmt/bin/oxfmt --check .
step c-format c_format
step shell shellcheck -x dev .ci/run scripts/*.sh scripts/suites/*.sh packaging/*.sh packaging/debian/*.sh \
	packaging/debian/p* packages/*/tests/*.sh tests/*/*.sh
step lint bun node_modules/oxlint/bin/oxlint --type-aware
step types bun node_modules/typescript/bin/tsc -p .
step build-asan built asan
ctest_step asan build/asan
step build-fuzz built fuzz
ctest_step fuzz build/fuzz -R '^fuzz_'
step build-tsan built tsan
ctest_step tsan build/tsan
for preset in musl i386 aarch64; do
	step "build-$preset" built "$preset"
	ctest_step "$preset" "build/$preset"
done
ctest_step c-tests build/release
bun_step bun-tests --parallel=2
systemd_step
summary
