#!/bin/sh
# package-doc.sh DIRECTORY: what Debian wants in a package beside the program, compressed its way, of the
# time SOURCE_DATE_EPOCH.
set -eu
directory=$1
rm -rf "$directory"
mkdir -p "$directory/man"
for page in docs/man/*.[1-8]; do
	gzip -9nc "$page" >"$directory/man/${page##*/}.gz"
done
gzip -9nc CHANGELOG.md >"$directory/CHANGELOG.md.gz"
# the pages, under the names by which they refer to each other
mkdir -p "$directory/pages/docs"
# Debian keeps the licence in a file of its own
sed "s:](LICENSE):](copyright):" README.md >"$directory/pages/README.md"
cp docs/*.md docs/*.svg "$directory/pages/docs/"
chmod -R u=rwX,go=rX "$directory/pages"
sh packaging/debian/copyright.sh >"$directory/copyright"

version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
gzip -9n >"$directory/changelog.gz" <<EOF
xsocket ($version) unstable; urgency=medium

  * See /usr/share/doc/xsocket/CHANGELOG.md.gz.

 -- xsocket maintainers <maintainers@users.noreply.github.com>  $(date -uR -d "@$SOURCE_DATE_EPOCH")
EOF
