#!/bin/bash
# readme.sh BLOCKS REPOSITORY: runs the blocks of README.md, which lie in files below BLOCKS, to the
# letter, on a machine of its own: network, processes, /run, and copies of /usr/local and /etc that are
# gone afterwards.
set -eum # each job is a group of its own, so that all of it can be ended
blocks=$1
patience=20
# shellcheck source=tests/docs/machine.sh
. "${0%/*}/machine.sh"
cd "$2"
inside() { ip netns exec vpn "$@"; }
# stop JOB PORT: ends a job, and waits until its port is free again.
stop() {
	kill -- "-$1"
	wait "$1" || true
	until_true bash -c "! ss -tln | grep -q ':$2 '"
}

# the namespace of the README's text
ip netns add vpn
ip -n vpn link set lo up

bash "$blocks/serve.sh" &
until_true test -S /run/xsocket/lan

inside bash "$blocks/run.sh" &
until_true curl -sf http://127.0.0.1:3000/README.md
! inside curl -sf --max-time 2 http://127.0.0.1:3000/ || exit 1
stop $! 3000
echo "run.sh ran"

inside bash "$blocks/preload.sh" >/run/heard &
until_true listens 3000
echo over to you | nc -q 1 127.0.0.1 3000
until_true grep -q "over to you" /run/heard
echo "preload.sh ran"

if touch /usr/local/lib/try 2>/dev/null; then # an ordinary user may not write to root's directories
	mkdir /run/c
	ln -s "$PWD/dev" /run/c/dev
	cp "$blocks/example.c" /run/c/
	(cd /run/c && bash -eu "$blocks/compile.sh" >/dev/null)
	inside /run/c/example | grep -q '^descriptor [0-9]* is a socket of the other namespace$'
	cd /run/c
	/usr/bin/python3 -m pydoc xsocket | grep -q "^    xsocket "
	cd - >/dev/null
	echo "compile.sh ran"
fi

inside ./dev bun "$blocks/echo.ts" &
until_true listens 7000
[ "$(echo to and fro | nc -q 1 127.0.0.1 7000)" = "to and fro" ]
echo "echo.ts ran"
