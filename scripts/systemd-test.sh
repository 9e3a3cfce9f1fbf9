#!/bin/sh
# ./dev systemd-test: our units under a real systemd, booted by systemd-nspawn.
#
# The machine's root is made once and kept outside the repository; each test boots it anew with an
# overlay in memory. Where that cannot be done, this says so and exits 77.
set -eu

suite=trixie
packages=systemd,systemd-sysv,dbus,iproute2,procps,util-linux,acl

not_run() {
	echo "systemd-test: NOT RUN: $*" >&2
	exit 77
}

[ "$(id -u)" = 0 ] || not_run "it takes root, to boot a systemd"
[ -z "${TEST_CHROOTED-}" ] || not_run "no user namespace can be made here, as in a chroot, where systemd-nspawn boots no machine"
for tool in systemd-nspawn mmdebstrap; do
	command -v "$tool" >/dev/null || not_run "$tool is missing (packages systemd-container, mmdebstrap)"
done
unshare --mount --net true 2>/dev/null || not_run "namespaces cannot be made here"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/xsocket
machine=$cache/systemd-$suite-$(echo "$packages" | cksum | cut -d ' ' -f 1)
mkdir -p "$cache"
(
	flock 9
	[ -d "$machine" ] && exit
	echo "systemd-test: making the machine in $machine" >&2
	new=$(mktemp -d "$cache/new.XXXXXX")
	chmod 755 "$new"
	mmdebstrap --quiet --variant=apt --include="$packages" "$suite" "$new" >&2 ||
		{ rm -rf "$new"; exit 1; }
	mv -T "$new" "$machine"
) 9>"$cache/systemd.lock" || not_run "mmdebstrap could not make a machine: see above"

# What is tested is what gets installed, below /usr as by a package.
work=build/systemd
stage=$PWD/$work/stage
sh scripts/command.sh "$work/command"
{
	cmake -S . -B "$work/cmake" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
		-DCMAKE_INSTALL_PREFIX=/usr -DXSOCKET_COMMAND_DIR="$PWD/$work/command" &&
		cmake --build "$work/cmake" --parallel 2 &&
		rm -rf "$stage" &&
		DESTDIR=$stage cmake --install "$work/cmake" --strip
} >"$work/install.log" 2>&1 || {
	cat "$work/install.log" >&2
	exit 1
}

XSOCKET_SYSTEMD_ROOT=$machine XSOCKET_SYSTEMD_STAGE=$stage \
	exec bun test --timeout 180000 tests/systemd "$@"
