#!/bin/sh
# inside.sh plain|with COMMAND...: runs it in a network of its own, without the library or with it
#
# How it works: a network namespace with lo, one more interface that knows multicast, and routes
# that lead nowhere. The server is in the same namespace, so that a moved socket can do all that
# the program's own could: whatever differs is the library's doing. Processes and mounts are in
# namespaces of their own as well, and end with the command. Root is needed. A library that could not
# be loaded would change nothing: if the server has given no socket by the end, the exit code is 75.
set -eu

if [ -z "${SUITES_INSIDE-}" ]; then
	SUITES_INSIDE=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc sh "$0" "$@"
fi
unset SUITES_INSIDE
mode=$1
shift
root=$(readlink -f -- "${0%/*}/../..")

ip link set lo up
ip link add suite0 type veth peer name suite1
ip address add 10.99.0.1/24 dev suite0
ip -6 address add fd99::1/64 dev suite0 nodad
ip link set suite1 up
ip link set suite0 up
ip route add default via 10.99.0.2
ip -6 route add default via fd99::2

mkdir -p /run/xsocket
mount -t tmpfs -o mode=755 none /run/xsocket
if [ "$mode" = with ]; then
	# a copy where every user may read it, and that stays when the library is built anew
	cp "$root/build/release/packages/xbind-native/libxbind.so" /run/xsocket/
	"$root/packages/cli/bin/xsocket" serve --mode 0666 --log-level warning &
	tries=0
	until [ -S /run/xsocket/default ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || exit 1
		sleep 0.05
	done
	set -- env LD_PRELOAD=/run/xsocket/libxbind.so XBIND='*' "$@"
fi
code=0
"$@" || code=$?
[ "$mode" = plain ] ||
	"$root/packages/cli/bin/xsocket" status --json | grep -q '"granted":[1-9]' || code=75
exit $code
