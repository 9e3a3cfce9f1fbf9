#!/bin/sh
# ./dev suites [NAME...]: test suites of other projects, run without the library and with it
#
# How it works: each NAME.suite beside this file says where the source comes from and how it is
# built (source= is empty for tests that an installed package has), and has a function run() that
# prints "ok NAME" or "not ok NAME" for each of its tests. Both runs are in inside.sh, one after
# the other. What passes without the library must pass with it; a test that fails with it gets two
# more tries, since many of these suites depend on timing. A run has limit= seconds, which the
# file may set; one that takes longer is ended with all its processes, and its suite has failed.
set -eu

here=scripts/suites
work=$PWD/build/suites
tries=3
limit_by_default=1200 # seconds

fail() {
	echo "suites: $1" >&2
	exit 1
}

# Where this machine's own packages of a release come from.
mirror_of() {
	# shellcheck disable=SC2016 # these are fields of apt-get(8)
	apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' |
		awk -v release="$1" '$2 == release && $3 == "main" { print $1; exit }'
}

# Sources come by lists of their own, so that the machine's stay what they are.
fetch() {
	source=$1
	mkdir -p "$work/apt/lists/partial" "$work/apt/parts" "$work/source"
	# shellcheck disable=SC1091 # os-release(5)
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
		"${SUITES_MIRROR:-$(mirror_of "$codename")}" "$codename" \
		/usr/share/keyrings/debian-archive-keyring.pgp >"$work/apt/parts/source.sources"
	set -- -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/apt/parts" \
		-o Dir::State::Lists="$work/apt/lists" -o APT::Sandbox::User=root
	apt-get "$@" update
	(cd "$work/source" && apt-get "$@" --only-source source "$source" >/dev/null) ||
		fail "the source of $source could not be fetched"
}

tree_of() { find "$work/source" -maxdepth 1 -name "$1-*" -type d 2>/dev/null; }

# run_suite plain|with NAME: the tests that passed, one line for each, sorted. A name that stands for several of
# them is left out if one has failed.
run_suite() {
	came_to=0
	# in the foreground, so that an interrupt reaches it too; KILL, since an init ignores the
	# rest
	# shellcheck disable=SC2016 # the inner shell expands these
	timeout --foreground --signal KILL "$limit" \
		sh $here/inside.sh "$1" sh -ec '. "$1"; cd "$2"; run' sh "$PWD/$here/$2.suite" "$tree" \
		>"$work/$2.$1.out" 2>"$work/$2.$1.err" || came_to=$?
	case $came_to in
	75) fail "$2: the library has moved no socket: see $work/$2.$1.err" ;;
	137) fail "$2: a run took longer than $limit seconds: see $work/$2.$1.out and $work/$2.$1.err" ;; # it was killed
	esac
	sed -n 's/^not //p' "$work/$2.$1.out" | LC_ALL=C sort -u >"$work/$2.failed"
	grep '^ok' "$work/$2.$1.out" | LC_ALL=C sort -u | LC_ALL=C comm -23 - "$work/$2.failed" >"$work/$2.$1"
}

# The tests that passed without the library, and in no run with it so far.
lost() { LC_ALL=C comm -23 "$work/$1.plain" "$work/$1.passed"; }

suite() {
	name=$1
	source=
	limit=$limit_by_default
	# shellcheck disable=SC1090 # one of the files beside this one
	. "$PWD/$here/$name.suite"
	if [ -n "$source" ]; then
		[ -n "$(tree_of "$source")" ] || fetch "$source"
		tree=$(tree_of "$source")
	else
		tree=$work/$name.tree
		mkdir -p "$tree"
	fi
	# shellcheck disable=SC2016 # the inner shell expands these
	[ -e "$tree/.built" ] ||
		sh -ec '. "$1"; cd "$2"; build; touch .built' sh "$PWD/$here/$name.suite" "$tree" \
			>"$work/$name.build" 2>&1 ||
		fail "$name could not be built: see $work/$name.build"
	run_suite plain "$name"
	[ -s "$work/$name.plain" ] || fail "$name: no test passes even without the library: see $work/$name.plain.err"
	: >"$work/$name.passed"
	try=0
	while [ "$try" -lt "$tries" ] && [ -n "$(lost "$name")" ]; do
		try=$((try + 1))
		run_suite with "$name"
		LC_ALL=C sort -u "$work/$name.with" "$work/$name.passed" >"$work/$name.sum"
		mv "$work/$name.sum" "$work/$name.passed"
	done
	all=$(wc -l <"$work/$name.plain")
	printf '%s: %s tests pass without the library, %s of them with it too\n' "$name" "$all" \
		"$((all - $(lost "$name" | wc -l)))"
	lost "$name" | sed 's/^ok /  fails with the library: /'
	[ -z "$(lost "$name")" ]
}

[ "$(id -u)" = 0 ] || fail "making network namespaces takes root"
[ $# -gt 0 ] || for file in "$here"/*.suite; do
	name=${file##*/}
	set -- "$@" "${name%.suite}"
done
passed=0
failed=0
for name in "$@"; do
	if (suite "$name"); then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
