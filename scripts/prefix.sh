#!/bin/sh
# prefix.sh - reads [--prefix DIRECTORY] into $prefix, and has what install.sh and uninstall.sh, which
# source it, share; run by itself, it only refuses wrong arguments
prefix=/usr/local
if [ -n "${DESTDIR-}" ]; then # cmake would heed it, and the list of files would not
	echo "dev: DESTDIR is for making a package with cmake (as in packaging/arch/PKGBUILD): unset it, or say --prefix DIRECTORY" >&2
	exit 2
fi
while [ $# -gt 0 ]; do
	case $1 in
	--prefix=*) prefix=${1#--prefix=} ;;
	--prefix)
		prefix=${2-}
		shift
		;;
	*)
		echo "dev: $1 is not an option here: use --prefix DIRECTORY" >&2
		exit 2
		;;
	esac
	[ $# = 0 ] || shift
done
case $prefix in
/*[!/]*) prefix=${prefix%/} ;;
*)
	echo "dev: the prefix must be an absolute path below /, and \"$prefix\" is not" >&2
	exit 2
	;;
esac

manifest=$prefix/lib/xsocket/manifest

# listed: the files and directories of the manifest. It names them within the prefix, which may have been copied or
# moved since; those of earlier versions name them in full.
listed() {
	while IFS= read -r file; do
		case $file in
		/*) printf '%s\n' "$file" ;;
		*) printf '%s/%s\n' "$prefix" "$file" ;;
		esac
	done <"$manifest"
}

# take_away: removes the files that are named on the standard input, one a line
take_away() {
	while IFS= read -r file; do
		rm -f -- "$file"
		case $file in
		*.py) # Python keeps what it has compiled beside it
			cache=${file%/*}/__pycache__ module=${file##*/}
			rm -f -- "$cache/${module%.py}".*.pyc
			[ ! -d "$cache" ] || rmdir --ignore-fail-on-non-empty -- "$cache"
			;;
		esac
	done
}

# take_directories_away: the same with directories that are empty by then
take_directories_away() {
	sort -r | while IFS= read -r directory; do # the deepest first
		[ ! -d "$directory" ] || rmdir --ignore-fail-on-non-empty -- "$directory"
	done
}
