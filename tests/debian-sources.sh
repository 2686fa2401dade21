#!/bin/bash
# debian-sources.sh SUITE: Debian's own archives among the machine's apt sources, as one-line
# entries. Where the machine has no lists yet apt knows no origin and code name: those are taken on trust.
set -euo pipefail
lines=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(CODENAME) $(COMPONENT) $(ORIGIN)' \
	'Created-By: Packages' |
	awk -v suite="$1" '
		$2 ~ "^" suite || $3 ~ "^" suite { if ($0 ~ / main( Debian| *$)/) print "deb", $1, $2, "main" }' |
	sort -u)
[ -n "$lines" ] || { echo "debian-sources: this machine's apt sources have no Debian $1" >&2; exit 1; }
printf '%s\n' "$lines"
