"""Connection policies by executable, and policies that are learned from a run."""

import subprocess

import pytest
from bundle import BUILD, RUNTIME
from policy_site import RULE, command, fetch, outcomes, peer, site  # noqa: F401

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own")

PERL_LISTENS = ("use Socket; socket(S, PF_INET, SOCK_STREAM, 0) && setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1)"
                " && bind(S, sockaddr_in(18080, INADDR_LOOPBACK)) && listen(S, 1) ? print(\"ok\") : print(\"no\")")
NC = "nc -z 127.0.0.1 {port} >/dev/null 2>&1 && echo ok || echo no"


@pytest.fixture
def only_perl(site):
    """Only perl may listen on 18080, only curl may reach 127.0.0.1:PORT."""
    def go(port, more=""):
        site.config("p")
        site.policy(f"""
            default = "deny"
            [executable.server]
            path = "/usr/bin/perl"
            [executable.client]
            path = ["/usr/bin/curl", "/opt/not/there"]
            [[rule]]
            name = "the server"
            action = "allow"
            operation = "listen"
            protocol = "tcp"
            port = 18080
            executable = "server"
            [[rule]]
            name = "the client"
            action = "allow"
            operation = "connect"
            protocol = "tcp"
            address = "127.0.0.1"
            port = {port}
            executable = ["client"]
            {more}
            """)
    return go


def test_only_one_executable(site, run, only_perl, peer):
    port, _ = peer
    only_perl(port)
    python = ("import socket; s = socket.socket(); s.setsockopt(1, 2, 1); s.bind((\"127.0.0.1\", 18080)); s.listen()")
    got = outcomes(run, f"""
echo perl $(perl -e '{PERL_LISTENS}')
echo python $(python3 -c '{python}' 2>/dev/null && echo ok || echo no)
echo curl {fetch(port=port)}
echo fork $( (curl -s -m 5 telnet://127.0.0.1:{port} </dev/null; true) | grep -q peer && echo ok || echo no)
echo nc $({NC.format(port=port)})
echo bash $( (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo ok || echo no)
echo curl-elsewhere $(curl -s -m 5 telnet://127.0.0.2:{port} </dev/null | grep -q peer && echo ok || echo no)
""")
    assert got == {"perl": "ok", "python": "no", "curl": "ok", "fork": "ok", "nc": "no", "bash": "no",
                   "curl-elsewhere": "no"}
    events = site.events()
    by = {e["executable"]: e for e in events}
    assert {"/usr/bin/python3.11", "/usr/bin/nc.openbsd", "/usr/bin/bash", "/usr/bin/curl"} == set(by)
    assert by["/usr/bin/nc.openbsd"]["lineage"] == "/usr/bin/bash"
    assert by["/usr/bin/python3.11"]["rule"] == "default"


def test_data_rings_tell_the_executable(site, run, peer, monkeypatch):
    port, _ = peer
    monkeypatch.setattr("bundle.runtime_command", lambda runtime: [str(BUILD / runtime), "--data-plane=ring"])
    test_denied_executable(site, run, peer)
    events = site.events()
    assert {e["executable"] for e in events} == {"/usr/bin/curl", "/usr/bin/x"} and {e["port"] for e in events} == {port}


def test_ways_around_the_executable(site, run, only_perl, peer):
    """As an ordinary program in the container, root of the guest as it may be."""
    port, _ = peer
    only_perl(port)
    got = outcomes(run, f"""
try() {{ "$@" -s -m 5 telnet://127.0.0.1:{port} </dev/null 2>/dev/null | grep -q peer && echo ok || echo no; }}
nc=$(readlink -f /usr/bin/nc)
takes() {{ "$@" -d -w 5 127.0.0.1 {port} 2>/dev/null | grep -q peer && echo ok || echo no; }}
cp /usr/bin/curl /tmp/copy; echo copy $(try /tmp/copy)
echo hard-link $(ln /usr/bin/curl /usr/bin/hard && try /usr/bin/hard)
echo symlink $(ln -s /usr/bin/curl /tmp/sym && try /tmp/sym)
echo argv0 $(takes bash -c 'exec -a /usr/bin/curl "$0" "$@"' $nc)
echo linker $(try /lib64/ld-linux-x86-64.so.2 /usr/bin/curl)
echo preload $(LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6 try /usr/bin/curl)
echo library-path $(LD_LIBRARY_PATH=/tmp try /usr/bin/curl)
echo audit $(LD_AUDIT=/lib/x86_64-linux-gnu/libm.so.6 try /usr/bin/curl)
echo interpreter $(printf '#!/usr/bin/perl\\nuse Socket; socket(S, PF_INET, SOCK_STREAM, 0); print connect(S, sockaddr_in({port}, INADDR_LOOPBACK)) ? "ok" : "no"' >/tmp/s; chmod +x /tmp/s; /tmp/s)
echo self-exe $(python3 -c 'import os; os.execv("/proc/self/exe", ["/usr/bin/curl", "-c", "import socket; print(\\"ok\\" if not socket.socket().connect_ex((\\"127.0.0.1\\", {port})) else \\"no\\")"])')
echo memfd $(python3 -c 'import os
fd = os.memfd_create("curl"); os.write(fd, open("'$nc'", "rb").read())
os.execve(fd, ["curl", "-z", "127.0.0.1", "{port}"], {{}})' 2>/dev/null && echo ok || echo no)
mv /usr/bin/curl /usr/bin/moved; echo renamed $(try /usr/bin/moved)
cp $nc /usr/bin/curl; echo replaced $(takes /usr/bin/curl)
mkdir -p /opt/not; cp $nc /opt/not/there; echo late $(takes /opt/not/there)
""")
    assert got == {"copy": "no", "hard-link": "ok", "symlink": "ok", "argv0": "no", "linker": "no", "preload": "no",
                   "library-path": "no", "audit": "no", "interpreter": "no", "self-exe": "no", "memfd": "no",
                   "renamed": "ok", "replaced": "no", "late": "ok"}
    assert any(e.get("preloaded") for e in site.events())
    assert {e.get("script") for e in site.events()} >= {"/tmp/s"}


def test_interpreter_and_script(site, run, peer):
    port, _ = peer
    site.config("p")
    site.policy(f"""
        default = "deny"
        [executable.tool]
        path = "/usr/bin/perl"
        script = "/usr/local/bin/tool"
        [[rule]]
        action = "allow"
        address = "127.0.0.1"
        port = {port}
        executable = "tool"
        """)
    body = f'use Socket; socket(S, PF_INET, SOCK_STREAM, 0); print connect(S, sockaddr_in({port}, INADDR_LOOPBACK)) ? "ok" : "no";'

    def prepare(bundle):
        for name in ("tool", "other"):
            path = bundle / "rootfs/usr/local/bin" / name
            path.write_text("#!/usr/bin/perl\n" + body)
            path.chmod(0o755)

    got = outcomes(run, "echo tool $(tool); echo other $(other); echo perl $(perl /usr/local/bin/tool); "
                   "echo child $(bash -c 'tool; true')", prepare=prepare)
    assert got == {"tool": "ok", "other": "no", "perl": "no", "child": "ok"}


def test_hash_follows_the_content(site, run, rootfs, peer):
    port, _ = peer
    digest = subprocess.run(["sha256sum", f"{rootfs}/usr/bin/curl"], capture_output=True, text=True,
                            check=True).stdout.split()[0]
    site.config("p")
    site.policy(f"""
        default = "deny"
        [executable.client]
        sha256 = ["{'0' * 64}", "{digest}"]
        [[rule]]
        action = "allow"
        executable = "client"
        """)
    got = outcomes(run, f"""
echo curl {fetch(port=port)}
cp /usr/bin/curl /tmp/copy; echo copy {fetch("/tmp/copy", port)}
echo >>/tmp/copy; echo changed {fetch("/tmp/copy", port)}
echo nc $({NC.format(port=port)})
""")
    assert got == {"curl": "ok", "copy": "ok", "changed": "no", "nc": "no"}
    assert len(site.events()[-1]["sha256"]) == 64


def test_denied_executable(site, run, peer):
    port, _ = peer
    site.config("p")
    site.policy("""
        default = "allow"
        [executable.client]
        path = "/usr/bin/curl"
        [[rule]]
        action = "deny"
        executable = "client"
        """)
    got = outcomes(run, f"echo curl {fetch(port=port)}; echo nc $({NC.format(port=port)}); "
                   f"ln /usr/bin/curl /usr/bin/x; echo link {fetch('x', port)}")
    assert got == {"curl": "no", "nc": "ok", "link": "no"}


def test_further_processes(site, box, only_perl, peer):
    """exec into a running container: they are programs as any other."""
    port, _ = peer
    only_perl(port)
    running = box()
    assert running.exec("/bin/bash", "-c", f"echo {fetch(port=port)}").stdout == "ok\n"
    assert running.exec("/bin/bash", "-c", NC.format(port=port)).stdout == "no\n"
    assert "peer" in running.exec("/usr/bin/curl", "-s", "-m", "5", f"telnet://127.0.0.1:{port}").stdout


EXECUTABLE = '[executable.x]\n'
BAD_EXECUTABLES = {
    'default = "deny"\n' + EXECUTABLE: ":2: executable.x: expected a path or a sha256",
    'default = "deny"\n' + EXECUTABLE + 'path = "bin/x"\n': ":3: executable.x.path: expected an absolute path",
    'default = "deny"\n' + EXECUTABLE + 'sha256 = "ABC"\n': ":3: executable.x.sha256: expected a SHA-256",
    'default = "deny"\n' + EXECUTABLE + 'hash = "ABC"\n': ":3: executable.x.hash: unknown key; expected one of path",
    RULE + 'executable = "y"\n' + EXECUTABLE + 'path = "/x"\n': ":4: rule[0].executable: expected the name of an",
}


@pytest.mark.parametrize("text", BAD_EXECUTABLES)
def test_bad_executable(site, text):
    checked = command("check", str(site.policy(text)))
    assert checked.returncode == 1 and BAD_EXECUTABLES[text] in checked.stderr, checked.stderr


# --- learning --------------------------------------------------------------------------------

def test_learned_policy(site, run, peer):
    """A run is learned; the same run is allowed afterwards, and nothing else."""
    port, _ = peer
    site.config("p")
    site.policy('mode = "learn"\ndefault = "deny"\n')
    script = f"""
echo curl {fetch(port=port)}
echo tool $(tool)
echo server $(perl -e '{PERL_LISTENS}')
"""

    def prepare(bundle):
        tool = bundle / "rootfs/usr/local/bin/tool"
        tool.write_text("#!/usr/bin/python3\nimport socket\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
                        f"try:\n s.connect(('::ffff:127.0.0.1'[7:], {port})); print('ok')\nexcept OSError: print('no')\n")
        tool.chmod(0o755)

    everything = {"curl": "ok", "tool": "ok", "server": "ok"}
    assert outcomes(run, script, prepare=prepare) == everything
    assert outcomes(run, script, prepare=prepare) == everything
    assert {e["action"] for e in site.events()} == {"learn"}
    learned = command("learn", "p")
    assert learned.returncode == 0, learned.stderr
    assert learned.stdout.count("[[rule]]") == 3 and 'script = "/usr/local/bin/tool"' in learned.stdout
    site.policy(learned.stdout)
    assert command("check", "p").returncode == 0
    assert outcomes(run, script, prepare=prepare) == everything
    got = outcomes(run, script.replace("curl -s", "/tmp/other -s").replace("18080", "18081"), prepare=lambda bundle: (
        prepare(bundle), (bundle / "rootfs/tmp/other").write_bytes((bundle / "rootfs/usr/bin/curl").read_bytes()),
        (bundle / "rootfs/tmp/other").chmod(0o755)))
    assert got == {"curl": "no", "tool": "ok", "server": "no"}
    assert command("learn", "other").returncode == 1
