#!/bin/bash
# installed.sh DEV: installs below /usr/local on a machine of its own (network, processes, /run, and
# copies of /usr/local and /etc that are gone afterwards), runs the commands that users of the original
# know, to the letter, and uninstalls.
set -eu
dev=$1
patience=10
# shellcheck source=tests/docs/machine.sh
. "${0%/*}/machine.sh"

mkdir -p /usr/local/bin /usr/local/lib/pkgconfig # empty directories of a fresh Debian are not ours
rmdir /usr/local/include && mkdir /usr/local/headers && ln -s headers /usr/local/include # nor is a link
find /usr/local -xdev -type d -exec touch {} + # copies each directory up, so that any later addition is found
found() { find /mnt/usr/local/upper | sort; } # in this machine alone: the host's /usr/local may change meanwhile
found >/run/before
touch /usr/local/lib/xsocket # in the way of a directory
if "$dev" install 2>/run/said; then exit 1; fi
grep -q "^dev: cannot install" /run/said
rm /usr/local/lib/xsocket
found | diff /run/before - >&2
echo "an install that fails leaves nothing"
setsid "$dev" install & # in a process group of its own, as from a terminal
install=$!
until ! kill -0 "$install" 2>/dev/null || compgen -G "/usr/local/include/xsocket.h*" >/dev/null; do :; done
kill -TERM -- "-$install" || true # it may be over
wait "$install" || true
"$dev" uninstall
found | diff /run/before - >&2
echo "an install that is interrupted can be undone"
(umask 077 && "$dev" install)
closed=$(find /mnt/usr/local/upper ! -type l ! -perm -004)
[ -z "$closed" ] || {
	echo "not for everybody: $closed" >&2
	exit 1
}
test -L /usr/local/bin/xsocket-server # links are not installed as copies
xsocket-server &
server=$!
until_true test -S /run/xsocket/default
ip netns add inside
ip -n inside link set lo up
ip netns exec inside bash -c 'LD_PRELOAD=libxbind.so XBIND=3000 nc -l -p 3000' >/run/heard &
until_true listens 3000
echo over to you | nc -q 1 127.0.0.1 3000
until_true grep -q "over to you" /run/heard
echo "the original's command works"

# with its declaration, and no flags but the library's name
cat >/run/original.c <<'END'
#include <stddef.h>
#include <sys/socket.h>
#include <xsocket.h>
int xsocket(const char* path, int domain, int type, int protocol);
int main(void) { return xsocket(NULL, AF_INET, SOCK_STREAM, 0) < 0; }
END
cc -o /run/original /run/original.c -lxsocket
ip netns exec inside /run/original
env -u PYTHONDONTWRITEBYTECODE /usr/bin/python3 -c 'import xsocket; xsocket.socket().close()'
echo "the original's declaration works"
kill $server
wait $server

xsocket-server @original &
server=$!
until_true xsocket doctor --same-namespace @original
kill $server
wait $server
echo "the original's abstract name works"

# as if an earlier version were installed, with files that no longer exist and a library in use
cp /usr/local/lib/libxsocket.so.1 /usr/local/lib/libxsocket.so.9.0.0
touch /usr/local/lib/former.py
# and one file by another name of its directory
printf '/usr/local/%s\n' lib/libxsocket.so.9.0.0 lib/former.py headers/xsocket.h >>/usr/local/lib/xsocket/manifest
/usr/bin/python3 -c 'import py_compile; py_compile.compile("/usr/local/lib/former.py")'
library=/usr/local/lib/libxbind.so
exec 8<$library # held open, as by a program
while [ ! -e /run/installed ]; do sha256sum <$library; done 2>&1 | sort -u >/run/seen &
watches=$!
until [ -e /run/installed ]; do [ -s $library ] || echo none; done >/run/missed & # looks far more often than the other loop
watches+=" $!"
"$dev" install
touch /run/installed
# shellcheck disable=SC2086
wait $watches
if [ $library -ef /proc/$$/fd/8 ] || [ -s /run/missed ] || ! sha256sum <&8 | diff - /run/seen >&2; then
	echo "in the middle of an install the library is another, empty or none, or written into" >&2
	exit 1
fi
readlink -f /usr/local/lib/libxsocket.so.1 | grep -vF 9.0.0
test -e /usr/local/include/xsocket.h
echo "an older installation is replaced"

mkdir -p /run/copied/lib/xsocket /run/copied/bin
cp /usr/local/lib/xsocket/manifest /run/copied/lib/xsocket
cp /usr/local/bin/xsocket /run/copied/bin
"$dev" uninstall --prefix /run/copied
test -z "$(ls /run/copied/bin)"
xsocket --version >/dev/null
echo "a copy is uninstalled without its original"

"$dev" uninstall
found | diff /run/before - >&2
echo "nothing else is gone, and nothing is left"
