#!/bin/sh
# copyright.sh: writes debian/copyright, with the licences of what Bun contains as Bun's own types
# package of the same version lists them.
set -eu
licences=$(find node_modules/.bun -path '*/bun-types/docs/project/license.mdx' | head -n 1)
[ -n "$licences" ] || {
	echo "copyright.sh: bun-types has no licence page: run bun install" >&2
	exit 1
}
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

Files: usr/lib/xsocket/main.js
Copyright: 2026 the xsocket authors, and the authors of citty and consola
License: MIT

License: MIT
$(sed -n '5,$p' LICENSE | sed -e 's/^$/./' -e 's/^/ /')
EOF
