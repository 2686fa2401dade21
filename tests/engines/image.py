"""The image that the engines run: made from the tests' root file system, no registry needed."""

import hashlib
import json
import subprocess

from cell import PATH

NAME = "box"
# What the programs of these tests do not need: the compiler, git, Perl's library, documentation.
LEFT_OUT = ("usr/lib/gcc usr/libexec usr/lib/git-core usr/share/perl usr/share/vim usr/share/mime "
            "usr/lib/file usr/share/doc var/cache dev/*").split()


def make_archive(rootfs, directory):
    """A `docker save` archive, which all engines load: its path."""
    layer = directory / "layer.tar"
    excludes = [f"--exclude=./{path}" for path in LEFT_OUT] + ["--exclude=*.a"]
    subprocess.run(["tar", "--numeric-owner", "-C", rootfs, *excludes, "-cf", layer, "."], check=True)
    with open(layer, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    config = {
        "architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00Z",
        "config": {"Env": [f"PATH=/usr/local/sbin:/usr/local/bin:{PATH}", "LC_ALL=C.UTF-8"],
                   "Cmd": ["/bin/bash"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "2024-01-01T00:00:00Z"}],
    }
    manifest = [{"Config": "config.json", "RepoTags": [f"{NAME}:latest"], "Layers": ["layer.tar"]}]
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "manifest.json").write_text(json.dumps(manifest))
    archive = directory / "image.tar"
    subprocess.run(["tar", "-C", directory, "-cf", archive, "manifest.json", "config.json",
                    "layer.tar"], check=True)
    layer.unlink()
    return archive
