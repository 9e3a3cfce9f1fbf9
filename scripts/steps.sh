#!/bin/sh
# steps.sh - runs steps, keeps their output in build/check, and sums up; sourced by other scripts
#
# A step that passes leaves one line; the output of one that fails is shown in full. All steps run,
# whatever fails, so that one run tells everything.

logs=build/check
passed=0 failed=0 skipped=0 status=0

case $PWD in *[[:space:]:]*)
	echo "dev: the tests preload the libraries of this checkout, and LD_PRELOAD separates its paths by spaces and colons: move $PWD to a directory without them" >&2
	exit 1
	;;
esac

# A clone that was made with umask 077.
if [ "$(id -u)" = 0 ] && [ -n "$(find packages -maxdepth 0 ! -perm -005 2>/dev/null)" ]; then
	echo "dev: the tests run programs of this checkout as other users, whom root does not let read it: chmod -R go+rX $PWD" >&2
	exit 1
fi

# A container without privileges, such as Docker's, cannot make one.
if ! unshare --net true 2>/dev/null && ! unshare --user --map-root-user --net true 2>/dev/null; then
	echo "note: no network namespace can be made here: tests that need one are skipped"
	export TEST_NO_NAMESPACES=1
fi

# In a chroot, or with user.max_user_namespaces=0, the kernel gives nobody a user namespace, not even
# root, so what ordinary users do cannot be tested. Elsewhere root gets one, and such tests must not
# be skipped.
if [ "$(id -u)" = 0 ] && unshare --net true 2>/dev/null && ! unshare --user true 2>/dev/null; then
	echo "note: no user namespace can be made here, as in a chroot or with user.max_user_namespaces=0: tests as an ordinary user are skipped"
	export TEST_CHROOTED=1
fi

# In a user namespace of one user, such as unshare --map-root-user makes, root cannot become another.
if [ "$(id -u)" = 0 ] && ! setpriv --reuid=65534 --clear-groups true 2>/dev/null; then
	echo "note: root cannot become another user here, as in a user namespace of one user: tests with other users are skipped"
	export TEST_ONE_USER=1
fi

# The tests expect no colours in what programs print, and our own settings as they are by default. And
# their servers must not tell the service manager of whoever runs them that they start and stop.
unset FORCE_COLOR NOTIFY_SOCKET
unset XBIND XBIND_LOG XSOCKET XSOCKET_ANY_SERVER XSOCKET_LIBDIR XSOCKET_TIMEOUT_MS

# The tests' temporary directories go with the run, also when that is ended by Ctrl-C or timeout(1).
# Their paths become words of shells, and of lists such as LD_PRELOAD, and addresses of UNIX sockets,
# which have 107 bytes. As root, the tests run programs there as other users.
: "${TMPDIR:=/tmp}"
case $TMPDIR in [!/]* | *[!/._[:alnum:]-]*) TMPDIR=/tmp ;; esac
if [ ${#TMPDIR} -gt 40 ]; then TMPDIR=/tmp; fi
if [ "$(id -u)" = 0 ] && [ -z "${TEST_ONE_USER-}" ] &&
	! setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$TMPDIR" 2>/dev/null; then
	TMPDIR=/tmp
fi
TMPDIR=$(mktemp -d "$TMPDIR/xsocket.XXXXXX")
chmod 1777 "$TMPDIR"
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM HUP

# new_logs: takes away what the run before has left.
new_logs() {
	rm -rf "$logs"
	mkdir -p "$logs"
}

# note NAME CODE SECONDS: says how a step went and keeps the script's exit status.
note() {
	if [ "$2" = 0 ]; then
		printf 'ok    %-16s %s s\n' "$1" "$3"
	else
		cat "$logs/$1.log"
		printf 'FAIL  %-16s %s s, exit code %s; the output is above and in %s\n' \
			"$1" "$3" "$2" "$logs/$1.log"
		status=1
	fi
}

# timed NAME COMMAND...: runs it with its output in the step's log. Sets code.
timed() {
	step_name=$1
	shift
	start=$(date +%s)
	code=0
	"$@" >"$logs/$step_name.log" 2>&1 </dev/null || code=$?
	note "$step_name" "$code" $(($(date +%s) - start))
}

# step NAME COMMAND...: a step that counts no tests; one that fails counts as one failed.
step() {
	timed "$@"
	[ "$code" = 0 ] || failed=$((failed + 1))
}

# add PASSED FAILED SKIPPED: adds what a runner counted; one that fails has failed at least one. One in which
# none passed fails: Bun counts none, and ends with 0, if a test calls process.exit(0); and without a machine those
# under systemd are skipped.
add() {
	if [ "$code" = 0 ] && [ "$1" = 0 ]; then
		echo "FAIL  no test of $step_name passed; its output is in $logs/$step_name.log"
		code=1 status=1
	fi
	passed=$((passed + $1)) skipped=$((skipped + $3))
	if [ "$code" != 0 ] && [ "$2" = 0 ]; then
		failed=$((failed + 1))
	else
		failed=$((failed + $2))
	fi
}

# ctest_step NAME DIRECTORY ARGUMENT...: the C tests of one build. Most of the time they wait for
# another process, so more of them run at once than there are processors.
ctest_step() {
	ctest_name=$1
	directory=$2
	shift 2
	report=$PWD/$logs/$ctest_name.xml
	timed "$ctest_name" ctest --test-dir "$directory" -j4 --timeout 300 --no-tests=error \
		--output-on-failure --output-junit "$report" "$@"
	all=$(ctest_count tests) bad=$(ctest_count failures)
	none=$(($(ctest_count skipped) + $(ctest_count disabled)))
	add $((all - bad - none)) "$bad" "$none"
}

ctest_count() {
	sed -n "s/^[[:space:]]*$1=\"\([0-9]*\)\"$/\1/p" "$report" 2>/dev/null | grep . || echo 0
}

# contained_tests: sets files to those that need no namespace, or skip by themselves what needs one.
contained_tests() {
	needs='createNamespace|place: "own"|OWN_MOUNTS|OWN_MACHINE|"unshare"|bunAsOrdinaryUser|[fF]orEveryone|bwrap|demo[.]sh|runProgram'
	all=$(find packages scripts tests -name node_modules -prune -o -name '*.test.ts' -print)
	left_out=$(echo "$all" | xargs grep -lE "$needs" | xargs grep -L isContained)
	echo "$left_out" | sed 's/^/note: needs a namespace, not run: /'
	skipped=$((skipped + $(echo "$left_out" | wc -l)))
	files=$(echo "$all" | grep -vxF "$left_out" | sed 's:^:./:')
}

# bun_tests ARGUMENT...: nothing that they have started outlives them, however they end. Each has three
# minutes: whole programs, one after the other, are slow on a busy machine. Their servers are near, while
# other steps may need a proxy.
bun_tests() {
	NO_PROXY='*' no_proxy='*' bun test --no-orphans --timeout 180000 "$@"
}

# bun_step NAME ARGUMENT...: tests in TypeScript. With CI set a test.only that was left behind fails; it would hide the
# other tests of its file.
bun_step() {
	bun_name=$1
	shift
	if [ -n "${TEST_NO_NAMESPACES-}" ]; then
		contained_tests
		# shellcheck disable=SC2086 # a list of words
		set -- "$@" $files
	fi
	CI=true NO_COLOR=1 timed "$bun_name" bun_tests --only-failures "$@"
	add "$(bun_count "$bun_name" pass)" "$(bun_count "$bun_name" fail)" \
		$(($(bun_count "$bun_name" skip) + $(bun_count "$bun_name" todo)))
}

# Bun ends with lines such as " 4 pass".
bun_count() {
	sed -n "s/^ *\([0-9][0-9]*\) $2$/\1/p" "$logs/$1.log" | tail -n 1 | grep . || echo 0
}

# summary: the plain line that ends every run, and the exit status.
summary() {
	if [ -n "${TEST_NO_NAMESPACES-}" ]; then
		echo "FAIL  no network namespace can be made here, so most of what xsocket is for was not tested: run the tests as root, or where users may make namespaces"
		failed=$((failed + 1)) status=1
	fi
	echo "$passed passed, $failed failed, $skipped skipped"
	exit "$status"
}
