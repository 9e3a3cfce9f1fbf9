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
# with links to directories, which install does not make; no prefix, no directories
find -L "$prefix/" -xdev -type d >"$build/directories" 2>/dev/null || true
cmake --install "$build" --strip >"$log" 2>&1 || {
	echo "dev: cannot install below $prefix: run it as root, or name another directory by --prefix ($log says more)" >&2
	exit 1
}
manifest=$prefix/lib/xsocket/manifest
# made FILE...: the directories below the prefix that were made for these files, each with a slash
made() {
	awk -v least="${#prefix}" '{ while (sub("/[^/]*$", "") && length > least) print }' "$@" |
		sort -u | grep -vxF -f "$build/directories" | sed 's,$,/,'
}
# what an earlier version had installed and this one has not stays on the list
{
	cat "$build/install_manifest.txt"
	echo # the list's last line has no end
	made "$build/install_manifest.txt"
	[ ! -f "$manifest" ] || cat "$manifest"
} | sort -u | grep . >"$build/manifest"
cp "$build/manifest" "$manifest"
if [ "$(id -u)" = 0 ]; then
	ldconfig 2>/dev/null || true
	# a running systemd learns of the units, and makes their user and directory
	if [ -d /run/systemd/system ] && [ -z "${prefix##/usr*}" ]; then
		{ systemd-sysusers xsocket.conf && systemd-tmpfiles --create xsocket.conf && systemctl daemon-reload; } ||
			echo "dev: the units' user could not be made: run systemd-sysusers, then systemctl daemon-reload" >&2
	fi
fi
echo "installed below $prefix; \"./dev uninstall --prefix $prefix\" takes it away" >&2
