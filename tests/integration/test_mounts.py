"""mount, umount, pivot_root and mount namespaces, for containers with CAP_SYS_ADMIN; as under runc."""

import pytest
from bundle import edit_config


@pytest.fixture
def admin():
    """prepare=admin: the container has CAP_SYS_ADMIN and may make device nodes."""
    def give(config):
        for names in config["process"]["capabilities"].values():
            names.append("CAP_SYS_ADMIN")

    return lambda bundle: edit_config(bundle, give)


@pytest.mark.parametrize("variant", ["", "-static"], ids=["dynamic", "static"])
@pytest.mark.parametrize("program", ["mounts", "overlay"])
def test_calls(run, admin, program, variant):
    result = run("/t/" + program + variant, cwd="/var/tmp", prepare=admin, timeout=60)
    assert (result.status, result.stdout) == (0, ""), str(result)


# What a shell sees, line by line the same under runc.
SCRIPTS = {
    "tmpfs": r"""
        cd /var/tmp; mkdir m; echo below > m/f
        mount -t tmpfs -o size=1m,mode=700,nodev none m; ls -A m; findmnt -no FSTYPE,OPTIONS m | grep -o 'size=1024k'
        stat -c '%a %u' m; echo above > m/f; cat m/f; mount | grep -c /var/tmp/m; umount m; cat m/f
        umount m; echo $?""",
    "bind": r"""
        cd /var/tmp; mkdir -p a/b c; echo x > a/b/f; mount --bind a c; cat c/b/f
        mount -o remount,ro,bind c; touch c/new; echo $?; mkdir c/b; touch a/new; ls c
        mount -o remount,rw,bind c; echo y > c/b/f; cat a/b/f; findmnt -no TARGET,FSROOT c | grep -o 'a\]*$' | head -1
        umount c; ls c""",
    "file": r"""
        cd /var/tmp; echo old > t; echo new > s; mount --bind s t; cat t; echo more >> t; umount t; cat s t""",
    "rbind": r"""
        cd /var/tmp; mkdir -p r; mount --rbind / r; ls r/proc/self/status r/dev/null
        cmp r/etc/passwd /etc/passwd && echo same; mount --make-rslave r; umount -R r; echo $?; ls -A r""",
    "move": r"""
        cd /var/tmp; mkdir a b; mount -t tmpfs none a; touch a/in; mount --make-private /
        mount --move a b; ls a b; umount b; ls b""",
    "unshare": r"""
        cd /var/tmp; mkdir n; unshare -m sh -c 'mount -t tmpfs none n; touch n/inside; ls n'; ls -A n
        unshare -m --propagation unchanged sh -c 'mount -t tmpfs none n; grep -c /var/tmp/n /proc/self/mountinfo'
        grep -c /var/tmp/n /proc/self/mountinfo""",
    "chroot": r"""
        cd /var/tmp; mkdir -p root; mount --rbind / root; mount -t tmpfs none root/tmp
        chroot root /bin/sh -c 'cd /tmp && touch x && pwd && ls / | grep -c proc && ls /tmp && test -e /proc/self/fd && readlink -f /tmp/../tmp/x'
        mount -t proc proc root/proc; chroot root ps -o comm= -p 1 | wc -l; umount -l root; ls -A root""",
    "pivot": r"""
        cd /var/tmp; mkdir new; mount --make-rprivate /
        unshare -m sh -c 'mount --rbind / new && cd new && pivot_root . mnt && exec chroot . /bin/sh -c "
            umount -l /mnt; ls -A /mnt; cat /etc/hostname | wc -l; ls /proc/self/status; grep -c . /proc/self/mounts > /dev/null && echo mounts"'
        ls -d new/etc""",
    "overlay": r"""
        cd /var/tmp; mkdir t m low; mount -t tmpfs none t; mkdir t/up t/work
        mount -t overlay o -o lowerdir=/,upperdir=t/up,workdir=t/work m; findmnt -no FSTYPE m
        tar -C /usr/lib/python3 -cf all.tar .; mkdir m/x; tar -C m/x -xpf all.tar; diff -r /usr/lib/python3 m/x && echo same
        cp -a m/usr/share/perl5 m/y && diff -r /usr/share/perl5 m/y && echo same; rm -rf m/usr/share/perl5; ls m/usr/share/perl5
        chroot m /bin/bash -c 'mkdir -p /d/DEBIAN /d/opt/it && echo one > /d/opt/it/f
            printf "Package: it\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: it\n" > /d/DEBIAN/control
            dpkg-deb -b /d /d.deb && dpkg -i /d.deb && cat /opt/it/f && dpkg -V it && dpkg -r it 2>&1 | head -2; ls /opt; dpkg -l it | tail -1'
        dpkg -l it 2>&1 | tail -1; ls -A /opt; umount m; ls t/up/usr/share; stat -c '%F %t:%T' t/up/usr/share/perl5""",
    "overlays": r"""
        cd /var/tmp; mkdir t m; mount -t tmpfs none t; mkdir t/a t/b t/c t/w; echo 1 > t/a/f; mkdir t/a/d; echo 2 > t/a/d/g
        mount -t overlay o -o lowerdir=t/a,upperdir=t/b,workdir=t/w m; rm -r m/d; mv m/f m/h; umount m
        mount -t overlay o -o lowerdir=t/b:t/a m; find m | sort; touch m/x; umount m; mkdir t/w2
        mount -t overlay o -o lowerdir=t/b:t/a,upperdir=t/c,workdir=t/w2 m; mkdir m/d; echo 3 > m/h; find m | sort; cat m/h t/b/h; umount m
        mount -t overlay o -o upperdir=t/c,workdir=t/w2 m; echo $?; mount -t overlay o -o lowerdir=t/none,upperdir=t/c,workdir=t/w2 m; echo $?""",
    "attributes": r"""
        cd /var/tmp; mkdir t m low; echo x > low/f; cp /bin/grep low/g; mount -t tmpfs none t; mkdir t/up t/work; cp /bin/grep t/g
        cat > caps.py <<EOF
import os, struct, sys
caps, name = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0), "security.capability"
for path in sys.argv[2:]:
    if sys.argv[1] == "set":
        os.setxattr(path, name, caps)
    print(path, name in os.listxattr(path) and os.getxattr(path, name) == caps)
EOF
        python3 caps.py set low/f low/g t/g; mount -t overlay o -o lowerdir=low,upperdir=t/up,workdir=t/work m; python3 caps.py show m/f m/g
        for g in t/g m/g low/g; do setpriv --reuid=1000 --clear-groups --no-new-privs $g CapEff /proc/self/status
            setpriv --reuid=1000 --clear-groups $g CapEff /proc/self/status; done
        chmod 755 m/f; python3 caps.py show m/f t/up/f; echo more >> m/f; python3 caps.py show m/f t/up/f low/f; touch m/g; chown 1000 m/g
        python3 caps.py show m/g low/g; setpriv --reuid=1000 --clear-groups m/g CapEff /proc/self/status; cat m/f; umount m""",
    "devices": r"""
        cd /var/tmp; mkdir d; mount -t devpts -o newinstance,ptmxmode=0666 none d; stat -c '%a %F' d/ptmx; umount d
        mount --rbind /dev d; echo x > d/null; stat -c '%t:%T' d/zero; head -c 3 d/zero | wc -c; umount -l d""",
    "errors": r"""
        cd /var/tmp; mkdir e; touch f
        for t in "-t xyzfs none e" "-t tmpfs none f" "--bind nothing e" "--bind e f" "-t tmpfs none gone" "-o remount e"; do
            mount $t > /dev/null 2>&1; echo $?; done
        cd e; mount -t tmpfs none /var/tmp/e; cd /var/tmp/e; umount /var/tmp/e > /dev/null 2>&1; echo $?""",
}

# bubblewrap: root of the container, or anybody by a user namespace. The script of a sandbox, and what it is started with.
SANDBOXES = {
    "read-only": ("--ro-bind / / --tmpfs /tmp --proc /proc --dev /dev", r"""
        echo x > /tmp/f; cat /tmp/f; ls /tmp /dev; touch /etc/x; echo $?; echo hi > /dev/null; findmnt -no OPTIONS / | cut -c1-2
        cut -d\  -f5 /proc/self/mountinfo | grep -v "^/sys\\|^/proc/"; umount /proc; echo $?"""),
    "own processes": ("--ro-bind / / --proc /proc --dev /dev --unshare-user --unshare-pid --unshare-ipc --unshare-uts",
                      "id -u; ps -e -o comm= | sort; readlink /proc/self | wc -l"),
    "pieces": ("--ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin --dir /var/x "
               "--chdir /var/x --bind /var/tmp/own /own", "pwd; ls /; echo new > /own/f; cat /own/f; touch /usr/x; echo $?"),
}


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("sandbox", SANDBOXES, ids=list(SANDBOXES))
def test_bubblewrap(run_script, sandbox, uid):
    options, script = SANDBOXES[sandbox]
    run_script(f"mkdir -p /var/tmp/own; bwrap --unshare-user {options} /bin/bash -c '{script}'; echo $?; cat /var/tmp/own/*; true",
               uid=uid, gid=uid)


@pytest.mark.parametrize("script", SCRIPTS, ids=list(SCRIPTS))
def test_shell(run_script, admin, script):
    run_script("type mount umount findmnt unshare > /dev/null || exit 99\n" + SCRIPTS[script] + "\ntrue", prepare=admin)
