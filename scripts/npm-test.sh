#!/bin/sh
# ./dev npm-test: makes the npm tarballs, installs them in an empty directory, and uses them there as
# their users would: by `bun x`, from TypeScript, and the libraries of other platforms by themselves.
# What the command is bundled from is not beside it there.
set -eu
[ "$(id -u)" = 0 ] || {
	echo "dev: npm-test makes network namespaces: run it as root" >&2
	exit 1
}
sh scripts/npm.sh >/dev/null
tarballs=$PWD/build/npm
root=$PWD
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT TERM HUP
cd "$directory"

say() { echo "npm-test: $*"; }
fail() {
	say "FAILED: $*"
	exit 1
}

grep -q '^CMAKE_COMPILE_WARNING_AS_ERROR.*=OFF$' "$root/build/release/CMakeCache.txt" ||
	fail "the next ./dev setup ends at a warning"

for file in "$tarballs"/*.tgz; do
	tar -tzf "$file" package/README.md package/LICENSE >/dev/null 2>&1 || fail "${file##*/} has no README.md or no LICENSE"
done

# The siblings are in no registry yet, so each is named by its file.
tarball() { printf 'file:%s/%s-%s.tgz' "$tarballs" "$1" "$version"; }
cat >package.json <<EOF
{
  "name": "a-user",
  "dependencies": { "xsocket": "$(tarball xsocket)" },
  "overrides": {
    "@xsocket/protocol": "$(tarball xsocket-protocol)",
    "@xsocket/xbind-native": "$(tarball xsocket-xbind-native)",
    "@xsocket/server": "$(tarball xsocket-server)",
    "@xsocket/client": "$(tarball xsocket-client)",
    "@xsocket/native-linux-x64": "$(tarball xsocket-native-linux-x64)",
    "@xsocket/native-linuxmusl-x64": "$(tarball xsocket-native-linuxmusl-x64)",
    "@xsocket/native-linux-arm64": "$(tarball xsocket-native-linux-arm64)",
    "@xsocket/native-linuxmusl-arm64": "$(tarball xsocket-native-linuxmusl-arm64)"
  }
}
EOF
bun install --silent
[ "$(bun x --no-install xsocket --version)" = "$version" ] || fail "bun x xsocket --version"
case $(bun x --no-install xsocket lib xbind) in
"$directory"/*/libxbind.so) ;;
*) fail "bun x xsocket lib xbind" ;;
esac
command=node_modules/xsocket/lib
for script in main.js _worker.ts; do
	BUN_JSC_verboseDiskCache=1 bun "$command/$script" >log 2>&1 || true
	grep -q 'Cache hit' log || fail "$script is not compiled beforehand"
done
modules=$(sed -nE 's,^// node_modules/.*/node_modules/((@[^/]*/)?[^/]*)/.*,\1,p' "$command/compiled.js" | sort -u)
[ "$modules" ] || fail "the bundle does not name its files"
for module in $modules; do
	grep -qxF "$module" "$command/LICENSES" || fail "the licence of $module, which is in the bundle, is missing"
done
case $(ls node_modules node_modules/@xsocket) in
*citty* | *client* | *server*) fail "the command alone brings more with it than it needs" ;;
esac
say "the command alone, installed by bun"

# `yarn run` gives a file to Node unless its name says that it is a program
mkdir yarn
sed 's/"overrides"/"resolutions"/' package.json >yarn/package.json
printf '%s: %s\n' nodeLinker node-modules globalFolder .yarn enableImmutableInstalls false >yarn/.yarnrc.yml
touch yarn/yarn.lock
(cd yarn && npm exec --yes --package=@yarnpkg/cli-dist@4.18.1 -c 'yarn install && yarn run xsocket --version' >log 2>&1 &&
	[ "$(tail -n 1 log)" = "$version" ]) || fail "yarn run xsocket --version: $(cat yarn/log)"
say "the command alone, installed by Yarn"

bun add --silent "@xsocket/client@$(tarball xsocket-client)" "@xsocket/server@$(tarball xsocket-server)"
grep -q '"sources": "[0-9a-f]\{64\}"' node_modules/@xsocket/server/package.json ||
	fail "nothing tells two packages of one version apart"
grep -q '"@xsocket/native-linux-x64": "' node_modules/@xsocket/xbind-native/package.json ||
	fail "without the command the packages for TypeScript bring no libraries"
say "the packages for TypeScript, installed by bun"
for name in client protocol server xbind-native; do
	echo "import * as all from '@xsocket/$name'; all" >elsewhere.mjs
	node elsewhere.mjs 2>&1 | grep -q "^Error: @xsocket/$name runs only on Bun" || fail "what Node says of @xsocket/$name"
	bun build elsewhere.mjs --outfile=bundle.js >/dev/null
	bun bundle.js 2>&1 | grep -q "@xsocket/$name runs only on Bun.*--target=bun" || fail "what a bundle for browsers says of @xsocket/$name"
done
say "Node, and a bundle without --target=bun, are told that they are for Bun"

# what docs/packages.md says, from the checkout on
sed -n '/^    tarballs=/,/^    npm install/p' "$root/docs/packages.md" >npm-install.sh
npm_config_userconfig=${npm_config_userconfig-$HOME/.npmrc} npm_config_cache=$(npm config get cache)
export npm_config_userconfig npm_config_cache
# shellcheck source=/dev/null # made by the line before
(cd "$root" && HOME=$directory/home && mkdir "$HOME" && . "$directory/npm-install.sh" >/dev/null &&
	[ "$(npx --no-install xsocket --version)" = "$version" ] &&
	[ "$(env -u XSOCKET_BUN PATH=/usr/bin:/bin node_modules/.bin/xsocket --version)" = "$version" ]) || fail "npm install"
unset npm_config_userconfig npm_config_cache
say "installed by npm"

cat >use.sh <<'EOF'
set -eu
ip link set lo up
mkdir -m 0700 control
bun x --no-install xsocket serve control/socket &
server=$!
cat >serve.ts <<'END'
import { serve, untilSignal } from "@xsocket/server";
await untilSignal(serve({ address: "control/library", mode: 0o600 }));
END
bun serve.ts &
library=$!
trap 'kill $server $library' EXIT
until [ -S control/socket ] && [ -S control/library ]; do sleep 0.1; done
cat >use.ts <<'END'
import { xsocketSync } from "@xsocket/client";
for (const via of ["control/socket", "control/library"]) {
  using socket = xsocketSync({ via, family: 4, type: "stream" });
  console.log(socket.fd > 2 ? "a socket" : "none");
}
END
[ "$(unshare --net bun use.ts | grep -cx "a socket")" = 2 ]
unshare --net sh -c 'ip link set lo up; exec bun x --no-install xsocket run --socket control/socket \
	--port 8000 -- python3 -m http.server 8000' >/dev/null 2>&1 &
web=$!
for _ in $(seq 100); do
	! curl -sf -o page http://127.0.0.1:8000/ || break
	sleep 0.1
done
kill $web
grep -q package.json page
EOF
unshare --net --pid --fork --kill-child --mount-proc timeout 60 sh use.sh || fail "serve, run, the SDK and the server as a library"
say "bun x xsocket serve, bun x xsocket run, the SDK and the server as a library: work"

cat >types.ts <<'EOF'
import { type OwnedSocket, xsocket } from "@xsocket/client";
import { serve, type Server } from "@xsocket/server";
export const made: Promise<OwnedSocket> = xsocket({ via: "@name", family: 6, type: "dgram" });
export const server: Promise<Server> = serve({ address: "@name" });
export const refusals = (running: Server) => running.stats().refusals;
export const kindOf = (...[, kind]: ConstructorParameters<typeof OwnedSocket>) => kind;
// @ts-expect-error: there is no such family
await xsocket({ family: 5 });
EOF
bun add --silent -d "@types/bun@$(sed -n 's/.*"@types\/bun": "\(.*\)",/\1/p' "$root/package.json")"
for pair in preserve:bundler nodenext:nodenext; do
	bun "$root/node_modules/typescript/bin/tsc" --declaration --emitDeclarationOnly --outDir declarations \
		--strict --target esnext --lib esnext --types bun --module "${pair%:*}" --moduleResolution "${pair#*:}" types.ts ||
		fail "types under ${pair#*:}"
done
say "types, and the declarations of a package that uses them, under moduleResolution bundler and nodenext: right"

# beside a program that is compiled
worker=$(sed -n 's/.* make a .\(_worker\.[a-z]*\). .*/\1/p' "$root/docs/sdk.md")
echo 'import "./node_modules/@xsocket/server/src/_worker.ts"' >"$worker"
cat >whole.json <<'EOF'
{
  "compilerOptions": { "strict": true, "noEmit": true, "module": "nodenext", "target": "esnext", "types": ["bun"] },
  "include": ["types.ts", "_worker.*"]
}
EOF
bun "$root/node_modules/typescript/bin/tsc" -p whole.json || fail "types in a project with the worker of an executable"
say "types in a project with the worker of an executable: right"

# platforms without a Bun to run here, as far as possible
for name in linux-x64 linuxmusl-x64 linux-arm64 linuxmusl-arm64; do
	mkdir "$name"
	tar -xzf "$tarballs/xsocket-native-$name-$version.tgz" -C "$name" --strip-components 1
done
for name in linux linuxmusl; do
	! readelf --program-headers "$name"-*64/xsocket-launch | grep -q INTERP || fail "the launcher hangs on one libc"
	"$name-x64/xsocket-launch" --difference >/dev/null || fail "the launcher for $name"
	qemu-aarch64 "$name-arm64/xsocket-launch" --difference >/dev/null || fail "the launcher for $name on arm64"
done
say "the launchers, those for arm64 under qemu-user: start"

printf 'extern int xsocket(const char *, int, int, int);\n#include <errno.h>\nint main(void) { return xsocket("none", 2, 1, 0) == -1 && errno == ENOENT ? 0 : 1; }\n' >try.c
try() {
	name=$1 compiler=$2
	shift 2
	ln -sf libxsocket.so "$name/libxsocket.so.1"
	"$compiler" -o "$name/try" try.c -L "$name" -lxsocket -Wl,-rpath,"$directory/$name"
	"$@" "$name/try" || fail "libxsocket for $name"
	say "libxsocket for $name: works"
}
try linuxmusl-x64 musl-gcc env
try linux-arm64 aarch64-linux-gnu-gcc qemu-aarch64 -L /usr/aarch64-linux-gnu
say "not run: Bun for musl (it needs a libstdc++ that Debian lacks), Bun for arm64"
echo "npm-test: all passed"
