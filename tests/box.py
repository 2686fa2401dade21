"""A running container, and exec into it: by the runtime under test and by runc."""

import json
import subprocess

import pytest
from bundle import RUNTIME, TIMEOUT, runtime_command, wait_for

RUNTIMES = ["callgate", "runc"] if RUNTIME == "callgate" else [RUNTIME]
both = pytest.mark.parametrize("runtime", RUNTIMES)


class Box:
    """A running container, and exec into it."""

    def __init__(self, container, runtime):
        self.container, self.runtime, self.id = container, runtime, container.id
        wait_for(self._runs, what="a running container")

    def _runs(self):
        state = subprocess.run([*runtime_command(self.runtime), "state", self.id], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, timeout=TIMEOUT, check=False)
        return state.returncode == 0 and json.loads(state.stdout)["status"] == "running"

    def command(self, *args, **options):
        words = [word for key, value in options.items() for word in self._option(key.replace("_", "-"), value)]
        return [*runtime_command(self.runtime), "exec", *words, self.id, *args]

    @staticmethod
    def _option(key, value):
        if value is True:
            return ["--" + key]
        if isinstance(value, (list, tuple)):
            return [word for each in value for word in ("--" + key, str(each))]
        return ["--" + key, str(value)]

    def exec(self, *args, stdin=subprocess.DEVNULL, pass_fds=(), **options):
        return subprocess.run(self.command(*args, **options), stdin=stdin, capture_output=True, text=True,
                              timeout=TIMEOUT, pass_fds=pass_fds, check=False)

    def sh(self, script, **options):
        result = self.exec("/bin/sh", "-c", script, **options)
        assert result.returncode == 0, result
        return result.stdout

    def start(self, *args, **options):
        """Not waited for; ended by whoever started it."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        popen = {key: options.pop(key) for key in list(options) if key in ("stdin", "stdout", "stderr")}
        return subprocess.Popen(self.command(*args, **options), **{**pipes, **popen})

    def processes(self):
        """Processes in the container, but for who looks: their command lines."""
        listing = self.sh("for p in /proc/[0-9]*; do [ $p = /proc/$$ ] || tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null")
        return sorted(line.strip() for line in listing.splitlines() if line.strip())
