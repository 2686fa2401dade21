"""The Debian package, and the files for engines that come with it."""

import json
import os
import pathlib
import shutil
import subprocess
import tomllib

import pytest
import yaml
from bundle import BUILD, RUNTIME, TESTS

pytestmark = pytest.mark.skipif(RUNTIME == "runc", reason="known: callgate's own packaging")

TOP = TESTS.parent
PACKAGING = TOP / "packaging"


def sh(*args, **options):
    result = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=900,
                            stdin=subprocess.DEVNULL, check=False, **options)
    assert result.returncode == 0, f"{args}: {result.stdout[-2000:]}\n{result.stderr[-2000:]}"
    return result.stdout


def read(path):
    if path.suffix == ".json":
        return json.loads(path.read_text())
    return yaml.safe_load(path.read_text()) if path.suffix == ".yaml" else tomllib.loads(path.read_text())


@pytest.mark.parametrize("engine, snippet, installed, before", [
    ("docker", "daemon.json", "etc/docker/daemon.json", None),
    ("podman", "50-callgate.conf", "etc/containers/containers.conf.d/50-callgate.conf", None),
    ("crio", "50-callgate.conf", "etc/crio/crio.conf.d/50-callgate.conf", None),
    ("containerd", "config-v2.toml", "etc/containerd/config.toml", None),
    ("containerd", "config-v3.toml", "etc/containerd/config.toml", "version = 3\n"),
])
def test_snippet_is_what_install_writes(tmp_path, engine, snippet, installed, before):
    path = tmp_path / installed
    if before:
        path.parent.mkdir(parents=True)
        path.write_text(before)
    sh(BUILD / "callgate", "install", f"--{engine}", "--destdir", tmp_path)
    path.write_text(path.read_text().replace(str(BUILD / "callgate"), "/usr/bin/callgate"))
    renamed = path.with_suffix(".toml" if path.suffix == ".conf" else path.suffix)
    path.rename(renamed)
    assert read(renamed) == read(PACKAGING / engine / snippet)


def test_runtime_class():
    data = read(PACKAGING / "kubernetes/runtimeclass.yaml")
    assert (data["apiVersion"], data["kind"]) == ("node.k8s.io/v1", "RuntimeClass")
    # what a CRI engine calls the runtime, by the other files
    handler = data["handler"]
    assert handler in read(PACKAGING / "crio/50-callgate.conf")["crio"]["runtime"]["runtimes"]
    assert handler in read(PACKAGING / "containerd/config-v3.toml")["plugins"][
        "io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]
    assert data["overhead"]["podFixed"]["memory"] == "16Mi" and set(data) == {
        "apiVersion", "kind", "metadata", "handler", "overhead"}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package's path, and the path of what is in it."""
    out = tmp_path_factory.mktemp("deb")
    sh(PACKAGING / "deb/build.sh", out)
    [deb] = out.glob("callgate_*_amd64.deb")
    sh("dpkg-deb", "-x", deb, out / "root")
    sh("dpkg-deb", "-e", deb, out / "control")
    yield deb, out / "root", out / "control"
    shutil.rmtree(out)


def test_package_control(package):
    deb, root, control = package
    fields = sh("dpkg-deb", "-f", deb)
    for library in ("libc6", "libjansson4", "libzydis4.0"):
        assert library in fields.partition("Depends:")[2].split("\n")[0]
    sh("md5sum", "-c", "--quiet", control / "md5sums", cwd=root)
    listed = {line.split("  ", 1)[1] for line in (control / "md5sums").read_text().splitlines()}
    assert listed == {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}


def test_package_contents(package):
    _, root, _ = package
    for path in ("usr/bin/callgate", "usr/libexec/callgate/guest-pv.elf", "usr/libexec/callgate/guest-kvm.elf",
                 "usr/share/man/man1/callgate-run.1.gz", "usr/share/doc/callgate/copyright",
                 "usr/share/bash-completion/completions/callgate",
                 "usr/share/zsh/vendor-completions/_callgate",
                 "usr/share/fish/vendor_completions.d/callgate.fish",
                 "usr/libexec/callgate/callgate-top", "usr/share/callgate/metrics/callgate-metrics.socket",
                 "usr/share/callgate/docker/daemon.json",
                 "usr/share/callgate/kubernetes/runtimeclass.yaml"):
        assert (root / path).is_file(), path
    assert {p.name for p in root.iterdir()} == {"usr"}
    for path in root.rglob("*"):
        st = path.stat()
        assert st.st_uid == st.st_gid == 0 and not st.st_mode & 0o022, path
    assert os.access(root / "usr/bin/callgate", os.X_OK)
    for binary in ("bin/callgate", "libexec/callgate/guest-pv.elf", "libexec/callgate/guest-kvm.elf"):
        assert str(TOP).encode() not in (root / "usr" / binary).read_bytes(), "a path of the build"


def test_package_scripts(package):
    """postinst says how to register, and changes nothing."""
    _, _, control = package
    assert "callgate install" in sh(control / "postinst", "configure", "")
    assert sh(control / "postinst", "configure", "0.0.1") == ""
    sh(control / "prerm", "remove")


def test_package_is_installed_and_removed(package, tmp_path):
    """By dpkg, below a root of its own."""
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").touch()
    dpkg = ("dpkg", f"--root={tmp_path}", "--force-depends", "--force-script-chrootless")
    assert "callgate install" in sh(*dpkg, "-i", package[0])
    assert (tmp_path / "usr/bin/callgate").exists()
    sh(*dpkg, "-r", "callgate")
    assert not (tmp_path / "usr").exists()


def test_packaged_program_runs_a_container(package, bundles):
    """With the package's files over this machine's /usr, for this one process."""
    _, root, _ = package
    bundle = bundles.make(["/bin/uname", "-v"])
    script = (f"mount -t overlay none -o lowerdir={root}/usr:/usr /usr && cd / && "
              f"exec /usr/bin/callgate run --bundle {bundle} deb-{os.getpid()}")
    assert "Callgate" in sh("unshare", "-m", "sh", "-c", script)


def test_make_install(tmp_path):
    """As much as the package has, below another prefix."""
    sh("meson", "install", "-C", BUILD, "--no-rebuild", env={**os.environ, "DESTDIR": str(tmp_path)})
    prefix = tmp_path / "usr/local"
    if not prefix.exists():  # the build's own prefix
        [prefix] = [pathlib.Path(p).parent.parent for p in tmp_path.rglob("bin/callgate")]
    for path in ("bin/callgate", "libexec/callgate/guest-pv.elf", "share/man/man1/callgate.1",
                 "share/bash-completion/completions/callgate", "share/zsh/site-functions/_callgate",
                 "share/fish/vendor_completions.d/callgate.fish", "share/callgate/crio/50-callgate.conf"):
        assert (prefix / path).is_file(), path
