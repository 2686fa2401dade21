from marks import software

APT = r"""
mkdir -p /tmp/repo; cd /tmp; export DEBIAN_FRONTEND=noninteractive
pkg() { # name version depends script
	mkdir -p p/DEBIAN p/usr/share/$1 p/etc
	printf "Package: $1\nVersion: $2\nArchitecture: all\nMaintainer: N <n@example.com>\nDescription: x\n${3:+Depends: $3\n}" >p/DEBIAN/control
	for i in $(seq 30); do echo "$1 $2 $i" >p/usr/share/$1/f$i; done; echo "$1 $2" >p/etc/$1.conf; echo /etc/$1.conf >p/DEBIAN/conffiles
	for m in preinst postinst prerm postrm; do printf "#!/bin/sh\necho $1 $2 $m \$1\n$4" >p/DEBIAN/$m; chmod 755 p/DEBIAN/$m; done
	dpkg-deb -Zxz --root-owner-group -b p repo/$1_$2_all.deb >/dev/null; rm -r p; }
pkg alpha 1.0 beta; pkg beta 1.0; pkg gamma 1.0 "alpha (>= 1.0)"; (cd repo; dpkg-scanpackages -m . >Packages 2>/dev/null
apt-ftparchive release . >Release)
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/tmp/repo ./' >/etc/apt/sources.list.d/r.list
apt-get -q update >/tmp/out 2>&1 || cat /tmp/out
apt-get -q -y -o Dpkg::Use-Pty=0 install gamma 2>&1 | grep -E '^(alpha|beta|gamma|Setting|The following|Unpacking)'
dpkg -l alpha beta gamma | tail -3 | awk '{ print $1, $2, $3 }'; cat /usr/share/gamma/f7
echo mine >>/etc/beta.conf; pkg alpha 2.0 "beta (>= 2.0)"; pkg beta 2.0; (cd repo; dpkg-scanpackages -m . >Packages 2>/dev/null
apt-ftparchive release . >Release)
(cd repo; exec python3 -m http.server --bind 127.0.0.1 8000 >/dev/null 2>&1) & s=$!; until curl -s 127.0.0.1:8000/Release >/dev/null
do sleep 0.1; done
echo 'deb [trusted=yes] http://127.0.0.1:8000 ./' >/etc/apt/sources.list.d/r.list; apt-get -q update >/tmp/out 2>&1 || cat /tmp/out
apt list --upgradable 2>/dev/null | grep -c upgradable
apt-get -q -y -o Dpkg::Options::=--force-confold upgrade 2>&1 | tr -d '\r' | grep -E '^(alpha|beta|gamma|Setting|Unpacking)'
cat /etc/beta.conf; ls /etc/beta.conf*; apt-cache policy alpha | sed -n 2,3p; dpkg --verify alpha beta gamma; echo $?
pkg bad 1.0 '' 'exit 3\n'; dpkg -i repo/bad_1.0_all.deb >/tmp/out 2>&1; echo $?; dpkg -s bad | grep Status
dpkg --purge --force-all bad >/dev/null 2>&1
apt-get -q -y -o Dpkg::Use-Pty=0 autoremove --purge gamma 2>&1 | grep -E '^(alpha|beta|gamma) |Removing|Purging'
ls /usr/share/alpha 2>&1; dpkg --audit; ls /var/lib/dpkg/lock* ; kill $s
"""

DEBCONF = r"""
cd /tmp; mkdir -p p/DEBIAN
printf 'Package: ask\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.com>\nDescription: x\nDepends: debconf\n' >p/DEBIAN/control
cat >p/DEBIAN/templates <<'END'
Template: ask/name
Type: string
Default: nobody
Description: What name?
 A longer text.

Template: ask/colour
Type: select
Choices: red, green, blue
Default: green
Description: Which colour?

Template: ask/sure
Type: boolean
Default: true
Description: Sure?
END
printf '#!/bin/sh -e\n. /usr/share/debconf/confmodule\ndb_input high ask/name || true\ndb_input high ask/colour || true\ndb_input high ask/sure || true\ndb_go || true\n' >p/DEBIAN/config
printf '#!/bin/sh -e\n. /usr/share/debconf/confmodule\nfor q in name colour sure; do db_get ask/$q; echo "$q=$RET" >&2; done 2>>/tmp/answers\n' >p/DEBIAN/postinst
chmod 755 p/DEBIAN/config p/DEBIAN/postinst; dpkg-deb -b p ask.deb >/dev/null
DEBIAN_FRONTEND=noninteractive dpkg -i ask.deb >/tmp/out 2>&1; echo $?; cat answers
echo 'ask ask/name string preset' | debconf-set-selections; rm answers; dpkg-reconfigure -f noninteractive ask; cat answers; rm answers
cat >r.py <<'END'
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0: os.execvp("dpkg-reconfigure", ["dpkg-reconfigure", "-f", "readline", "ask"])
seen = b""
for prompt, answer in ((b"What name? ", b"\x15pty\n"), (b"Which colour? ", b"\x153\n"), (b"Sure? ", b"\x15no\n")):
    end = time.time() + 60
    while prompt not in seen:
        if not select.select([fd], [], [], max(0, end - time.time()))[0]: sys.exit(f"no prompt {prompt}: {seen}")
        seen += os.read(fd, 4096)
    seen = seen[seen.index(prompt) + len(prompt):]; os.write(fd, answer)
try:
    while os.read(fd, 4096): pass
except OSError: pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
TERM=xterm python3 r.py; cat answers; debconf-show ask | sort
DEBIAN_FRONTEND=noninteractive dpkg-reconfigure tzdata >/dev/null 2>&1
DEBIAN_FRONTEND=noninteractive dpkg --purge ask >/dev/null 2>&1; debconf-show ask | wc -l
"""


@software("apt", layer="tools")
def test_apt(same_apart):
    """A repository of one's own by file: and http: install, upgrade with a changed conffile, a failing preinst,
    autoremove"""
    same_apart(APT, timeout=90)


@software("debconf", layer="tools")
def test_debconf(same_apart):
    """dpkg-reconfigure noninteractive with preseeds, and with readline on a terminal"""
    same_apart(DEBCONF, timeout=90)
