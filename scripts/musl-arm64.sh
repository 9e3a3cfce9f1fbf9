#!/bin/sh
# musl-arm64.sh - unpacks musl for arm64, which no cross package of Debian holds, and names its directory
# in XSOCKET_MUSL_ARM64 for the preset aarch64-musl; sourced by other scripts. apt has lists of its own
# for this, so nothing about this machine changes.
XSOCKET_MUSL_ARM64=${XDG_CACHE_HOME:-$HOME/.cache}/xsocket/musl-arm64
export XSOCKET_MUSL_ARM64

fetch_musl() (
	new=$(mktemp -d "$XSOCKET_MUSL_ARM64.XXXXXX")
	cd "$new" || exit 1
	mkdir -p apt/lists/partial apt/cache/archives/partial root
	apt() {
		apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User= \
			-o Dir::State::Lists="$new/apt/lists" -o Dir::Cache="$new/apt/cache" "$@" >&2
	}
	apt update && apt download musl musl-dev || exit 1
	for package in *.deb; do
		dpkg -x "$package" root
	done
	ln -sfn usr/lib root/lib # where the dynamic loader is looked for
	mv -T root "$XSOCKET_MUSL_ARM64" || true # another run may have been quicker
	rm -rf "$new"
)

[ -d "$XSOCKET_MUSL_ARM64" ] || {
	mkdir -p "${XSOCKET_MUSL_ARM64%/*}"
	fetch_musl
}
