#!/bin/sh
# ./dev package-test: makes the Debian package, installs it in a fresh Debian without anything else of
# this repository, uses it there as its users would, and removes it again.
set -eu
[ "$(id -u)" = 0 ] || {
	echo "dev: package-test makes a Debian root and namespaces: run it as root" >&2
	exit 1
}
[ "${XSOCKET_TEST_MOUNTS-}" ] || XSOCKET_TEST_MOUNTS=1 exec unshare --mount --propagation private sh "$0" "$@"

# first elsewhere, at a path that the locale C cannot read
mkdir -p build/é
mount --bind . build/é
rm -rf build/package
(cd build/é && LC_ALL=C sh scripts/package.sh)
packages=$(sha256sum build/package/xsocket*)
umount build/é
rmdir build/é
rm -rf build/package
sh scripts/package.sh >/dev/null 2>&1
echo "$packages" | sha256sum --quiet -c || {
	echo "package-test: FAILED: two packages of the same sources differ" >&2
	exit 1
}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/xsocket
base=$cache/debian-trixie-package-test.tar
if [ ! -f "$base" ]; then
	mkdir -p "$cache"
	echo "making a Debian root" >&2
	mmdebstrap -q --variant=apt \
		--include=gcc,libc6-dev,pkg-config,iproute2,netcat-traditional,curl,python3 \
		trixie "$base.new.tar" >&2
	mv "$base.new.tar" "$base"
fi
# the steps of the PKGBUILD, as makepkg calls them
PKGDIR=$(mktemp -d)
startdir=$PWD/packaging/arch pkgdir=$PKGDIR bash -euc '. "$startdir/PKGBUILD"; build; package' \
	>build/arch.log 2>&1 || {
	cat build/arch.log >&2
	exit 1
}
for file in usr/bin/xsocket usr/lib/libxbind.so usr/lib/xsocket/bun usr/include/xsocket.h usr/share/licenses/xsocket/LICENSE; do
	[ -f "$PKGDIR/$file" ] || {
		echo "package-test: FAILED: the PKGBUILD installs no $file" >&2
		exit 1
	}
done
rm -rf "$PKGDIR"
echo "package-test: the PKGBUILD's steps: work"

root=$(mktemp -d)
cleanup() {
	umount -l "$root" 2>/dev/null || true
	rm -rf --one-file-system "$root"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
mount -t tmpfs -o size=3g root "$root"
tar -C "$root" -xf "$base"
mount --rbind /dev "$root/dev"
mkdir -p "$root/package"
cp build/package/*.deb build/package/*.tar.gz packaging/use-package.sh "$root/package/"
# a network of its own, so that no port of this machine is opened
unshare --net --pid --fork --kill-child --mount-proc="$root/proc" chroot "$root" \
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 sh /package/use-package.sh
