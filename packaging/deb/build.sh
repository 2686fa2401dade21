#!/bin/bash
# build.sh OUT: builds callgate for /usr in OUT/deb and packs it as OUT/callgate_VERSION_amd64.deb.
# dpkg-deb and dpkg-shlibdeps are used as they are: there is no source package.
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
src=$(cd "$here/../.." && pwd)
out=$(cd "$1" && pwd)
build=$out/deb
stage=$out/deb-stage
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git -C "$src" log -1 --format=%ct 2>/dev/null || date +%s)

# Every run begins with the same options; objects that are up to date stay.
[ -f "$build/build.ninja" ] || meson setup --prefix=/usr --libexecdir=libexec --buildtype=debugoptimized \
	"$build" "$src" >/dev/null
ninja -C "$build" callgate callgate-toml callgate-top guest-pv.elf guest-kvm.elf docs.stamp
rm -rf "$stage"
DESTDIR=$stage meson install -C "$build" --no-rebuild --quiet
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$stage/usr/bin/callgate"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$stage/usr/libexec/callgate/callgate-toml" "$stage/usr/libexec/callgate/callgate-top"
strip "$stage/usr/libexec/callgate/guest-pv.elf" "$stage/usr/libexec/callgate/guest-kvm.elf"
version=$(meson introspect --projectinfo "$build" | python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])')

doc=$stage/usr/share/doc/callgate
mkdir -p "$doc" "$stage/usr/share/lintian/overrides" "$stage/DEBIAN"
cp "$here/copyright" "$doc/"
cp "$src"/README.md "$src"/docs/*.md "$doc/"
printf 'callgate (%s) unstable; urgency=medium\n\n  * Built from commit %s.\n\n -- Callgate developers <callgate@example.org>  %s\n' \
	"$version" "$(git -C "$src" describe --always --dirty 2>/dev/null || echo unknown)" \
	"$(date -uRd "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
cp "$here/lintian-overrides" "$stage/usr/share/lintian/overrides/callgate"
gzip -9n "$stage"/usr/share/man/man1/*.1
mv "$stage/usr/share/zsh/site-functions" "$stage/usr/share/zsh/vendor-completions"

# dpkg-shlibdeps wants to stand beside a debian/control
mkdir -p "$out/deb-shlibs/debian"
printf 'Source: callgate\n\nPackage: callgate\nArchitecture: amd64\n' >"$out/deb-shlibs/debian/control"
shlibs=$(cd "$out/deb-shlibs" && dpkg-shlibdeps -O -e"$stage/usr/bin/callgate" -e"$stage/usr/libexec/callgate/callgate-toml" -e"$stage/usr/libexec/callgate/callgate-top" | sed -n 's/^shlibs:Depends=//p')
[ -n "$shlibs" ]
sed "s|@VERSION@|$version|; s|@SHLIBS@|$shlibs|; s|@SIZE@|$(du -k -s --apparent-size "$stage/usr" | cut -f1)|" \
	"$here/control.in" >"$stage/DEBIAN/control"
install -m 755 "$here/postinst" "$here/prerm" "$stage/DEBIAN/"
(cd "$stage" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
find "$stage" -type d -exec chmod 755 {} +
find "$stage" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$stage" "$out/callgate_${version}_amd64.deb"
rm -rf "$stage" "$out/deb-shlibs"
