#!/bin/sh
# use-package.sh: run by ./dev package-test in a fresh Debian: install, use as a user would, remove.
set -eu
ip link set lo up

say() { echo "package-test: $*"; }
fail() {
	say "FAILED: $*"
	exit 1
}
until_true() {
	for _ in $(seq 100); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	fail "after 10 s not yet: $*"
}

# the tar.gz of the same files, where it is unpacked
mkdir /package/unpacked
tar -C /package/unpacked --strip-components 1 -xzf /package/*.tar.gz
say "unpacked: $(/package/unpacked/usr/bin/xsocket --version)"
# shellcheck disable=SC2016 # the inner shell expands these
printf '#include <xsocket.h>\nint main(void) { return xsocket("none", 2, 1, 0) != -1; }\n' |
	PKG_CONFIG_PATH=$(echo /package/unpacked/usr/lib/*/pkgconfig) \
		sh -c 'cc -o /package/try -x c - $(pkg-config --cflags --libs xsocket)' || fail "pkg-config for what is unpacked"

wants=/etc/systemd/system/sockets.target.wants
mkdir -p "$wants"
find / -xdev -not -path '/proc/*' -not -path '/package/*' | sort >/tmp/before
dpkg -i /package/*.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail "dpkg -i"; }
say "installed: $(xsocket --version)"

xsocket-server 2>/tmp/server.log &
server=$!
until_true test -S /run/xsocket/default

ip netns add inside
ip -n inside link set lo up

# the line of the original, to the letter, in a namespace of its own
ip netns exec inside sh -c 'LD_PRELOAD=libxbind.so XBIND=3000 nc -l -p 3000' >/tmp/nc.out &
listens() { ss -tln | grep -q ":$1 "; }
until_true listens 3000
! ip netns exec inside ss -tln | grep -q ':3000 ' || fail "port 3000 is open inside as well"
echo hello | nc -q 1 127.0.0.1 3000
until_true grep -q hello /tmp/nc.out
say "LD_PRELOAD=libxbind.so XBIND=3000 nc -l -p 3000: works"

cd /tmp
ip netns exec inside xsocket run --port 8000 -- python3 -m http.server 8000 >/dev/null 2>&1 &
web=$!
until_true curl -sf http://127.0.0.1:8000/
kill $web
say "xsocket run: works"

cat >/tmp/example.c <<'EOF'
#include <stdio.h>
#include <sys/socket.h>
#include <xsocket.h>
int main(void)
{
	if (xsocket(NULL, AF_INET6, SOCK_STREAM, 0) < 0) {
		perror("xsocket");
		return 1;
	}
	return 0;
}
EOF
for static in "" --static; do
	# shellcheck disable=SC2046,SC2086 # words
	cc ${static#-} -Wall -Werror -o /tmp/example /tmp/example.c $(pkg-config $static --cflags --libs xsocket)
	ip netns exec inside /tmp/example || fail "a C program${static:+, $static}"
done
# /usr/include by another name would come before the headers of C++, and a directory for -L before others
flags=$(pkg-config --cflags --libs xsocket)
[ "${flags% }" = -lxsocket ] || fail "pkg-config --cflags --libs gives $flags"
say "C programs by pkg-config, shared and static: work"

ip netns exec inside python3 -c 'import xsocket; xsocket.socket().close()' || fail "Python"
say "Python: works"

for file in bash-completion/completions/xsocket fish/vendor_completions.d/xsocket.fish \
	zsh/vendor-completions/_xsocket doc/xsocket/docs/systemd.md; do
	[ -s "/usr/share/$file" ] || fail "there is no /usr/share/$file"
done
bash -c '. /usr/share/bash-completion/completions/xsocket; complete -p xsocket' >/dev/null ||
	fail "bash's completions"

# whose modules are in the bundle
sed -nE 's,^// node_modules/.*/node_modules/(@[^/]*/)?([^/]*)/.*,\2,p' /usr/lib/xsocket/compiled.js | sort -u >/tmp/modules
[ -s /tmp/modules ] || fail "the bundle names no module"
while read -r module; do
	grep -q "($module)$" /usr/share/doc/xsocket/copyright || fail "the copyright of $module"
done </tmp/modules

# a program that was built with this version works with later ones
grep -q '^libxsocket 1 xsocket (>= ' /var/lib/dpkg/info/xsocket.shlibs || fail "shlibs"

for page in "1 xsocket" "1 xsocket-server" "3 xsocket" "7 xbind" "8 xsocket.service"; do
	file=/usr/share/man/man${page% *}/${page#* }.${page% *}.gz
	gzip -t "$file" || fail "$file"
done

kill $server
wait $server || fail "the server ended with $?"

# what an upgrade asks of systemd, which does not run here
mkdir -p /run/systemd/system
# shellcheck disable=SC2016 # the script expands these
printf '#!/bin/sh\necho "${0##*/} $*" >>/tmp/systemd.log\n' >/usr/sbin/systemctl
chmod +x /usr/sbin/systemctl
ln -s systemctl /usr/sbin/systemd-sysusers
ln -s systemctl /usr/sbin/systemd-tmpfiles
dpkg -i /package/*.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail "dpkg -i again"; }
rm -r /run/systemd /usr/sbin/systemctl /usr/sbin/systemd-sysusers /usr/sbin/systemd-tmpfiles
diff - /tmp/systemd.log <<'EOF' || fail "what an upgrade asks of systemd"
systemctl daemon-reload
systemd-sysusers xsocket.conf
systemd-tmpfiles --create xsocket.conf
systemctl daemon-reload
systemctl try-restart xsocket.service xsocket@*.service xsocket-restricted@*.service
EOF
say "an upgrade restarts the servers that run"

ip netns del inside
rm -rf /tmp/example* /tmp/nc.out /tmp/server.log
# as "systemctl enable" does, and that of Debian 12, and as the units' directories stay behind
ln -s /usr/lib/systemd/system/xsocket.socket "$wants"
ln -s /lib/systemd/system/xsocket@.socket "$wants/xsocket@vpn.socket"
ln -s /usr/local/lib/systemd/system/xsocket@.socket "$wants/xsocket@other.socket" # of ./dev install
mkdir -p /run/xsocket /run/xsocket-vpn
dpkg -P xsocket >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; fail "dpkg -P"; }
rm "$wants/xsocket@other.socket" || fail "a purge disables what is not the package's"
find / -xdev -not -path '/proc/*' -not -path '/package/*' | sort >/tmp/after
left=$(comm -13 /tmp/before /tmp/after | grep -v -e '^/tmp' -e '^/var/lib/dpkg' -e '^/var/log' -e '^/run/netns' -e '^/var/cache/ldconfig' -e '/python3[.].*/__pycache__' || true)
[ -z "$left" ] || fail "left behind: $left"
say "removed, nothing is left"
echo "package-test: all passed"
