#!/bin/sh
# ./dev bench NAME: runs packages/*/bench/NAME.ts
set -eu

# The command as an installation has it, but for the libraries, which are those of the build tree.
install_command() {
	sh scripts/command.sh build/command
	mkdir -p build/bench/installed/bin build/bench/installed/lib
	install -m 0755 build/release/packages/xbind-native/xsocket-launch build/bench/installed/bin/xsocket
	ln -sfn ../../../command build/bench/installed/lib/xsocket
}

[ "$1" != server ] || install_command
exec bun packages/*/bench/"$1.ts"
