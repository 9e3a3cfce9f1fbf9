#!/bin/sh
# ./dev demo: the main job on real programs, told in a few lines
#
# Outside is the network that this runs in; inside is a network namespace of its own with nothing
# but lo. Root makes it as it is, everybody else in a user namespace. Whatever happens, Ctrl-C
# too, the end removes all of it.
set -eu

work=$(mktemp -d /tmp/xsocket-demo.XXXXXX) # in /tmp: LD_PRELOAD can name no path with a space
pids=

cleanup() {
	trap - EXIT
	for pid in $pids; do
		kill "$pid" 2>/dev/null || :
	done
	wait
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
trap 'exit 141' PIPE

fail() {
	echo "demo: $1" >&2
	for log in "$work"/*.log; do
		[ ! -s "$log" ] || sed "s|^|  ${log##*/}: |" "$log" >&2
	done
	exit 1
}

# start NAME COMMAND...: runs it in the background, with its words in a log.
start() {
	start_name=$1
	shift
	"$@" >"$work/$start_name.log" 2>&1 </dev/null &
	pids="$! $pids"
}

# until_true WHAT COMMAND...: waits for a condition for ten seconds at most.
until_true() {
	what=$1
	shift
	tries=0
	until "$@" 2>/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || fail "waited ten seconds in vain for $what"
		sleep 0.05
	done
}

run_bun() { bun --no-env-file -e "$@"; }

# below those that the kernel gives to whoever asks for any
free_port='for (let tries = 99; ; tries--) try { const port = 10000 + Math.floor(Math.random() * 20000);
Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(); console.log(port); break }
catch (error) { if (tries === 0) throw error }'
get='const answer = await fetch(process.argv[1]); process.stdout.write(await answer.text());'
is_open='const [port] = process.argv.slice(1);
try { (await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })).end() }
catch (error) { console.log(error.code); process.exit(1) }'
bun_server='Bun.serve({ hostname: "127.0.0.1", port: process.argv[1],
fetch: () => new Response(Bun.file(process.argv[2] + "/index.html")) });'

# The isolated network.
user_options=""
if ! unshare --net true 2>/dev/null; then
	user_options='--user --map-root-user'
	unshare --user --map-root-user --net true 2>/dev/null || fail \
		"this needs a network namespace, and none can be made here: neither as $(id -un) nor in a user namespace. Run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, on Ubuntu kernel.apparmor_restrict_unprivileged_userns)"
fi
# shellcheck disable=SC2086 # options or none
start namespace unshare $user_options --net sh -c "ip link set lo up && : >'$work/up' && exec sleep 600"
holder=$!
until_true "a network namespace" test -e "$work/up"
inside="nsenter --net=/proc/$holder/ns/net --"
[ -z "$user_options" ] ||
	inside="nsenter --user=/proc/$holder/ns/user --preserve-credentials --net=/proc/$holder/ns/net --"

port=$(run_bun "$free_port")
mkdir "$work/www"
echo "Hello from a program that has no network." >"$work/www/index.html"
ln -s "$PWD/build/release/packages/xbind-native/libxbind.so" "$work/libxbind.so"

echo "1. An isolated network namespace was made. These are all the interfaces in it:"
# shellcheck disable=SC2086 # a list of words, here and below
$inside ip -br link | sed 's/^/       /'

start server packages/cli/bin/xsocket serve "$work/control"
until_true "the server's control socket" test -S "$work/control"
echo "2. The server runs outside of it: xsocket serve $work/control"

if command -v python3 >/dev/null; then
	set -- python3 -u -m http.server --bind 127.0.0.1 --directory "$work/www" "$port"
else
	set -- bun -e "$bun_server" "$port" "$work/www"
fi
# shellcheck disable=SC2086
start program $inside env LD_PRELOAD="$work/libxbind.so" XBIND="$port" XSOCKET="$work/control" "$@"
until_true "the program to open port $port" run_bun "$is_open" "$port" >/dev/null
echo "3. An ordinary web server runs inside of it, unchanged but for its environment:"
[ "$1" = bun ] || echo "       LD_PRELOAD=libxbind.so XBIND=$port XSOCKET=$work/control python3 -m http.server $port"
[ "$1" = python3 ] || echo "       LD_PRELOAD=libxbind.so XBIND=$port XSOCKET=$work/control bun server.ts"

page=$(run_bun "$get" "http://127.0.0.1:$port/") || fail "the page could not be fetched from outside"
[ "$page" = "$(cat "$work/www/index.html")" ] || fail "the wrong page came: $page"
echo "4. Fetched from outside, http://127.0.0.1:$port/ says:"
echo "       $page"
[ "$1" = bun ] || sed -n 's/^\([0-9.]*\) .*"GET.*/       (its log names the client that asked: \1)/p' "$work/program.log" | head -n 1

# shellcheck disable=SC2086
if refusal=$($inside bun --no-env-file -e "$is_open" "$port"); then
	fail "port $port is open inside as well"
fi
echo "5. Inside the namespace nothing listens on port $port: $refusal"
echo
echo "The program's listening socket was made outside and handed in: no proxy, no forwarding, no copy."
