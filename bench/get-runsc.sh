#!/bin/bash
# get-runsc.sh: fetch Debian 13's runsc (the first in Debian with the systrap platform), unpack
# it into a cache of ours and print its path. Nothing of the system's packages is touched: apt
# runs with a configuration and state of its own. CALLGATE_RUNSC_CACHE names another place.
set -euo pipefail

suite=trixie
cache=${CALLGATE_RUNSC_CACHE:-/var/cache/callgate/runsc-$suite}
binary=$cache/root/usr/bin/runsc

if [ -x "$binary" ]; then
	echo "$binary"
	exit
fi

# The mirror that this machine gets Debian's own main archive from.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
	awk '$2 == "bookworm" && $3 == "main" { print $1; exit }')
[ -n "$mirror" ] || { echo "get-runsc: no Debian mirror in this machine's apt sources" >&2; exit 1; }

mkdir -p "$cache"/{lists/partial,archives/partial,root,download}
: >"$cache/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$cache/sources.list"
apt=(apt-get -q
	-o Dir::Etc::sourcelist="$cache/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts=-
	-o Dir::State::lists="$cache/lists" -o Dir::State::status="$cache/status"
	-o Dir::Cache="$cache" -o Dir::Cache::archives="$cache/archives"
	-o APT::Sandbox::User=root -o Acquire::Languages=none)
"${apt[@]}" update >&2
(cd "$cache/download" && "${apt[@]}" download runsc >&2)
dpkg-deb -x "$cache"/download/runsc_*.deb "$cache/root"
rm -rf "$cache"/{lists,archives,download}
"$binary" --version >&2
echo "$binary"
