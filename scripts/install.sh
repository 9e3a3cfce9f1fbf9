#!/bin/sh
# ./dev install [--prefix DIRECTORY]: builds for that prefix and installs there, /usr/local by default.
# A list of what was installed is kept in PREFIX/lib/xsocket/manifest, for ./dev uninstall.
set -eu
. scripts/prefix.sh

sh scripts/command.sh build/command
build=build/install
log=build/install.log
if ! { cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
	-DCMAKE_INSTALL_PREFIX="$prefix" \
	-DXSOCKET_COMMAND_DIR="$PWD/build/command" &&
	cmake --build "$build" --parallel 2; } >"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
# the directories that are there already, links to such included; none if there is no prefix
find -L "$prefix/" -xdev -type d >"$build/directories" 2>/dev/null || true
stage=$PWD/$build/stage
files=$build/install_manifest.txt
rm -rf "$stage"
DESTDIR=$stage cmake --install "$build" --strip >"$log" 2>&1 || {
	cat "$log" >&2
	exit 1
}
echo >>"$files" # the list's last line has no newline
# made FILE...: the directories below the prefix that were made for these files, each with a slash
made() {
	awk -v least="${#prefix}" '{ while (sub("/[^/]*$", "") && length > least) print }' "$@" |
		sort -u | grep -vxF -f "$build/directories" | sed 's,$,/,'
}
# Running programs have these files mapped, and one that starts meanwhile needs them whole. So each is
# copied beside its place, and then renamed.
place() {
	while IFS= read -r file; do
		mkdir -p -- "${file%/*}" && cp -P -- "$stage$file" "$file.new" || return
	done <"$files"
	while IFS= read -r file; do
		mv -fT -- "$file.new" "$file" || return
	done <"$files"
}
# uninstall does not know files without their list, so an interrupt comes too late from here on
trap '' INT TERM HUP
place 2>"$log" || {
	sed 's/$/.new/' "$files" | while IFS= read -r file; do rm -f -- "$file"; done
	made "$files" | take_directories_away
	echo "dev: cannot install below $prefix: run it as root, or name another directory by --prefix ($log says more)" >&2
	exit 1
}
rm -rf "$stage"
# real: the files that are named on the standard input, by the real names of directories that are there
real() {
	while IFS= read -r file; do
		directory=$(cd -P -- "${file%/*}" 2>/dev/null && pwd) || continue
		printf '%s/%s\n' "$directory" "${file##*/}"
	done
}
real <"$files" >"$build/placed"
# remove what an earlier version has installed and this one has not; its directories stay on the list
{
	cat "$files"
	made "$files"
	[ ! -f "$manifest" ] || listed | grep '/$'
} | sort -u | while IFS= read -r file; do printf '%s\n' "${file#"$prefix/"}"; done >"$build/manifest"
[ ! -f "$manifest" ] || listed | grep -v '/$' | real | grep -vxF -f "$build/placed" | take_away
cp "$build/manifest" "$manifest"
trap - INT TERM HUP
if [ "$(id -u)" = 0 ]; then
	ldconfig 2>/dev/null || true
	# a running systemd learns of the units, and makes their user and directory
	if [ -d /run/systemd/system ] && [ -z "${prefix##/usr*}" ]; then
		{ systemd-sysusers xsocket.conf && systemd-tmpfiles --create xsocket.conf && systemctl daemon-reload; } ||
			echo "dev: the units' user could not be made: run systemd-sysusers, then systemctl daemon-reload" >&2
	fi
fi
echo "installed below $prefix; \"./dev uninstall --prefix $prefix\" removes it" >&2
