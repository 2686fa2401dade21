from bundle import CAPABILITIES, edit_config
from marks import software

USER = "setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all"

IDS = f"""
cd /tmp; chmod 1777 .; exec 2>&1
echo tester:100000:65536 | tee /etc/subuid >/etc/subgid
{USER} unshare --map-root-user --map-auto bash -c '
	cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u
	touch file; chown 5:7 file; stat -c "%u %g %a" file; chmod 4750 file; stat -c "%u %g %a" file; touch -d @1 file; stat -c %Y file
	chown 70000 file; chown root:root file; stat -c "%u %g %a" file; stat -c "%u %g" /etc/passwd; chmod 600 /etc/passwd
	setpriv --reuid 33 --regid 33 --groups 44,45 bash -c "id; touch own; stat -c \\"%u %g\\" own; cat /proc/self/uid_map | wc -l"
	setpriv --reuid 65536 id; kill -0 1'
stat -c '%n %u %g' file own
"""


@software("uidmap", layer="core")
def test_newuidmap(same):
    """A user's namespace with 65,536 ids: owners, modes and times of files inside and outside, other users inside"""
    def allow(data): # newuidmap is set-user-ID root, and writes the map as such
        data["process"]["capabilities"] = {kind: [*CAPABILITIES, "CAP_SYS_ADMIN"] for kind in ("bounding", "effective", "permitted")}
    same(IDS, prepare=lambda bundle: edit_config(bundle, allow))

BUBBLEWRAP = f"""
cd /tmp; chmod 1777 .; exec 2>&1
box="bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-all --die-with-parent"
{USER} $box bash -c 'id; echo $$; ls /proc | grep -c "^[0-9]"; ls /dev; touch /etc/x; touch /tmp/x && ls -A /tmp; ip -o addr show lo | wc -l
	grep -E "^(Cap(Eff|Bnd)|NoNewPrivs)" /proc/self/status; (exec 3<>/dev/tcp/192.0.2.1/9); readlink /proc/self/ns/net | grep -c net'
ls -A /tmp
{USER} $box --uid 0 --gid 0 --hostname boxed --bind /tmp /mnt --tmpfs /run --dir /run/user --symlink usr /run/link --setenv A b --chdir /mnt bash -c '
	id; hostname; pwd; touch made; stat -c "%u %g" made; readlink /run/link; echo $A; cat /proc/self/uid_map; mount -t tmpfs t /mnt; unshare -r id'
stat -c '%n %u %g' made
mkfifo gate; chmod 666 gate; {USER} $box --bind /tmp /tmp bash -c 'sleep 1000 & echo >gate; wait' & read <gate
{{ kill -9 $!; wait $!; echo $?; }} 2>/dev/null
until ! pgrep -x sleep >/dev/null; do sleep 0.1; done; echo gone
exec 9<<<'text'; {USER} $box --file 9 /tmp/f --perms 0500 --size 65536 --tmpfs /mnt bash -c 'cat /tmp/f; stat -c "%a %n" /mnt; df -k --output=size /mnt'
bwrap --unshare-pid --ro-bind / / true; echo $?
"""


@software("bubblewrap", layer="core")
def test_bubblewrap(same):
    """Sandboxes of an ordinary user: file systems, network, processes, ids, names; the end of a sandbox"""
    same(BUBBLEWRAP)
