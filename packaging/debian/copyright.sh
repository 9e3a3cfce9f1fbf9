#!/bin/sh
# copyright.sh: writes debian/copyright, with the licences of what Bun contains as Bun's own types
# package of the same version lists them, and whose modules are in the bundle, as their licences say.
set -eu
licences=$(find node_modules/.bun -path '*/bun-types/docs/project/license.mdx' | head -n 1)
[ -n "$licences" ] || {
	echo "copyright.sh: bun-types has no licence page: run bun install" >&2
	exit 1
}
# the bundle names each file in it
modules=$(sed -nE 's,^// (node_modules/.*/node_modules/(@[^/]*/)?[^/]*)/.*,\1,p' build/command/compiled.js | sort -u)
owners=
for module in $modules; do
	grep -q '"license": "MIT"' "$module/package.json" || {
		echo "copyright.sh: the licence of $module is not MIT: give it a paragraph here" >&2
		exit 1
	}
	owners="$owners
$(sed -nE "s/^Copyright (\(c\)|©) *(.*)/ \2 (${module##*/})/p" "$module/LICENSE" | grep .)"
done
cat <<EOF
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: xsocket
Comment: The command runs on Bun, which is installed with it as /usr/lib/xsocket/bun.

Files: *
Copyright: 2026 the xsocket authors
License: MIT

Files: usr/lib/xsocket/bun
Copyright: Oven and the authors of the libraries listed below
License: MIT and others
 Bun's own list, of the version in this package:
 .
$(sed -e '1,/^---$/{1d;/^---$/d}' -e '/^title:\|^description:\|^---/d' "$licences" |
	sed -e 's/[[:space:]]*$//' -e 's/^$/./' -e 's/^/ /')
 .
 The licences that Debian knows are in /usr/share/common-licenses.

Files: usr/lib/xsocket/compiled.js usr/lib/xsocket/compiled.js.jsc
Copyright: 2026 the xsocket authors$owners
License: MIT

License: MIT
$(sed -n '5,$p' LICENSE | sed -e 's/^$/./' -e 's/^/ /')
EOF
