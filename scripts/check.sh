#!/bin/sh
# ./dev check: everything that must hold before a change is taken in, the quick steps first.
# shellcheck disable=SC2317 # functions are called by step
set -eu
. scripts/steps.sh
new_logs

c_format() {
	find packages tests \( -name node_modules -o -name build \) -prune \
		-o \( -name '*.c' -o -name '*.h' \) -exec clang-format-19 --dry-run -Werror {} +
}

# built PRESET WORD...: builds by the preset, and looks for the compiler and the flags that it is for in the
# command that has compiled a source: without a sanitizer its tests would pass, too.
built() {
	preset=$1
	shift
	cmake --preset "$preset" && cmake --build --preset "$preset" --parallel 2 || return
	for word in -Werror "$@"; do
		grep '"command".*/src/core/wire\.c"' "build/$preset/compile_commands.json" | grep -qF -e "$word " || {
			echo "the preset $preset compiles without $word"
			return 1
		}
	done
}

# Bun for arm64, which runs in the emulator as the C programs do.
fetch_bun_arm64() {
	version=$(bun --version)
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/xsocket
	made=$cache/bun-$version-arm64
	XSOCKET_BUN_ARM64=$made/node_modules/@oven/bun-linux-aarch64/bin/bun
	export XSOCKET_BUN_ARM64
	[ ! -x "$XSOCKET_BUN_ARM64" ] || return 0
	mkdir -p "$cache"
	new=$(mktemp -d "$made.XXXXXX")
	echo '{}' >"$new/package.json"
	bun add --cwd "$new" --os=linux --cpu=arm64 --no-save "@oven/bun-linux-aarch64@$version" &&
		mv -T "$new" "$made" && return
	rm -rf "$new"
	return 1
}

# The units under a booted systemd. Where none can be booted, that is said, and counts as skipped.
systemd_step() {
	timed systemd env CI=true NO_COLOR=1 sh -c 'sh scripts/systemd-test.sh || [ $? = 77 ]'
	if grep "NOT RUN" "$logs/systemd.log"; then
		skipped=$((skipped + 1))
	else
		add "$(bun_count systemd pass)" "$(bun_count systemd fail)" "$(bun_count systemd skip)"
	fi
}

step format bun node_modules/oxfmt/bin/oxfmt --check .
step c-format c_format
step shell shellcheck -x dev .ci/run packages/cli/bin/start.bin scripts/*.sh scripts/suites/*.sh packaging/*.sh packaging/debian/*.sh \
	packaging/debian/p* packages/*/tests/*.sh tests/*/*.sh
step lint bun node_modules/oxlint/bin/oxlint --type-aware
step types bun node_modules/typescript/bin/tsc -p .
step types-protocol bun node_modules/typescript/bin/tsc -p packages/protocol # without any runtime's types
step bun-arm64 fetch_bun_arm64
step build-asan built asan -fsanitize=address,undefined -fno-sanitize-recover=all
ctest_step asan build/asan
step build-fuzz built fuzz clang-19 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ctest_step fuzz build/fuzz
step build-tsan built tsan -fsanitize=thread
ctest_step tsan build/tsan -E '^(bind|options)_' # those have one thread, so no races
step build-musl built musl musl-gcc
ctest_step musl build/musl
step build-i386 built i386 i686-linux-gnu-gcc
ctest_step i386 build/i386
step build-aarch64 built aarch64 aarch64-linux-gnu-gcc
ctest_step aarch64 build/aarch64
ctest_step c-tests build/release
bun_step bun-tests --parallel=2
systemd_step
summary
