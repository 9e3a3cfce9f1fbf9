#!/bin/sh
# bundle.sh DIRECTORY: bundles and compiles the command, its script and its workers, into a new directory.
set -eu
directory=$1
rm -rf "$directory"
mkdir -p "$directory"

# bundle SCRIPT FILE: writes SCRIPT with all that it imports to FILE, and compiled to FILE.jsc, with
# which the command starts in two thirds of the time (docs/decisions/0005-compiled-beforehand.md). If
# FILE.jsc is of another script or for another engine, Bun uses FILE alone. import.meta is defined here,
# since in CommonJS it would be the path of the script as it is now.
bundle() {
	bun build --target=bun --format=cjs --bytecode --outdir="$directory/bundle" \
		--define import.meta.dir=module.path --define 'import.meta.file="bundle"' "$1" >/dev/null
	built=${1##*/}
	built=$directory/bundle/${built%.ts}.js
	mv "$built" "$directory/$2"
	mv "$built.jsc" "$directory/$2.jsc"
}
bundle packages/cli/src/main.ts compiled.js
# What starts that, as plain text. With the target bun it would be a function, with a mark that has Bun
# call it; Bun 1.1.20, for one, does not know the mark, and would end with 0 in silence.
bun build --target=node --format=cjs --external '*/compiled.js' --outfile="$directory/main.js" packages/cli/src/first.ts >/dev/null
# The pool starts its threads from a file of this name beside it, whatever is in it.
bundle packages/server/src/_worker.ts _worker.ts
rmdir "$directory/bundle"
