"""A terminal to drive an engine's command line with: docker run -it and its like."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time


class Terminal:
    def __init__(self, command, rows=24, columns=80):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.output = ""
        self.position = 0  # of what expect() has not seen yet
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True, preexec_fn=self._take_terminal)
        os.close(slave)

    @staticmethod
    def _take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.master, text.encode())

    def line(self, text):
        self.send(text + "\r")

    def interrupt(self, prompt="# "):
        """Press ^C until the shell prompts again: bash forgets one that comes just before its exec."""
        for _ in range(10):
            self.send("\x03")
            with contextlib.suppress(AssertionError):
                return self.expect(prompt, 3)
        raise AssertionError(f"no {prompt!r} after ^C in {self.output!r}")

    def expect(self, pattern, seconds=30):
        """Wait until the output matches; the match. Later calls look behind it."""
        deadline = time.monotonic() + seconds
        while not (match := re.compile(pattern).search(self.output, self.position)):
            if not self._read(deadline):
                raise AssertionError(f"no {pattern!r} in {self.output[self.position:]!r}")
        self.position = match.end()
        return match

    def _read(self, deadline):
        ready = select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the other end any more
            return False
        self.output += data.decode(errors="replace")
        return bool(data)

    def wait(self, seconds=30):
        """The status of the command, once it has ended."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and self._read(min(deadline, time.monotonic() + 0.2)) \
                or time.monotonic() < deadline and self.process.poll() is None:
            pass
        return self.process.wait(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self.master)
