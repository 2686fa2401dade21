#!/usr/bin/python3
"""install-docs.py BUILD MANDIR DATADIR: meson's install script for man pages and completions."""

import os
import pathlib
import shutil
import sys

build, prefix = pathlib.Path(sys.argv[1]), pathlib.Path(os.environ["MESON_INSTALL_DESTDIR_PREFIX"])
man, data = prefix / sys.argv[2] / "man1", prefix / sys.argv[3]
places = [(page, man) for page in sorted((build / "man").glob("*.1"))]
places += [(build / "completions" / name, data / folder) for name, folder in (
    ("callgate.bash", "bash-completion/completions"),
    ("_callgate", "zsh/site-functions"),
    ("callgate.fish", "fish/vendor_completions.d"))]
for source, folder in places:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / ("callgate" if source.name == "callgate.bash" else source.name)
    shutil.copyfile(source, target)
    target.chmod(0o644)
