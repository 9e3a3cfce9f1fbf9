#!/bin/sh
# ./dev package: makes xsocket_VERSION_ARCH.deb and xsocket-VERSION-Linux.tar.gz in build/package, and
# has lintian look at the first. A package of this machine's architecture and libc.
set -eu
build=build/package
log=build/package.log
mkdir -p "$build"
# the time of the sources, so that two packages of them are the same; without git, that of the files
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
export SOURCE_DATE_EPOCH
export LC_ALL=C.UTF-8 # in a locale that cannot read the checkout's path, cpack packs nothing

sh scripts/command.sh build/command
sh scripts/package-doc.sh build/package-doc
rm -f "$build"/*.deb "$build"/*.tar.gz
if ! { cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
	-DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR="lib/$(gcc -print-multiarch)" \
	-DXSOCKET_ZSHDIR=share/zsh/vendor-completions \
	-DXSOCKET_COMMAND_DIR="$PWD/build/command" -DXSOCKET_DOC_DIR="$PWD/build/package-doc" &&
	cmake --build "$build" --parallel 2 &&
	(cd "$build" && cpack); } >"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
lintian --allow-root --fail-on error "$build"/*.deb >&2
ls "$build"/*.deb "$build"/*.tar.gz
