"""A user at a terminal: a runtime started on a pty, and what would be on the screen."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import uuid

import pyte

from bundle import runtime_command


class Screen(pyte.Screen):
    def select_graphic_rendition(self, *attributes, private=False):
        """Private ones, as vim sends, are not known to the library's."""
        if not private:
            super().select_graphic_rendition(*attributes)


class Terminal:
    def __init__(self, command, rows=24, columns=80):
        self.screen = Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave,
                                        preexec_fn=self._own_session)
        os.close(slave)

    @staticmethod
    def _own_session():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys.encode())

    def line(self, text):
        self.type(text + "\r")

    def _read(self, seconds):
        """Take what has arrived. False: nothing will come any more."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        self.stream.feed(data)
        return bool(data)

    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def text(self):
        return "\n".join(self.lines()).rstrip()

    def wait_for(self, condition, seconds=30):
        """Until condition(text on the screen) is true, or the text is there."""
        deadline = time.monotonic() + seconds
        wanted = condition if callable(condition) else lambda text: condition in text
        while not wanted(self.text()):
            left = deadline - time.monotonic()
            assert left > 0, f"waited for {condition!r}; on the screen:\n{self.text()}"
            assert self._read(min(left, 0.5)) or wanted(self.text()), \
                f"ended while waiting for {condition!r}; on the screen:\n{self.text()}"
        return self.text()

    def quiet(self, seconds=0.4, limit=10):
        """Until nothing has been written for a while."""
        deadline = time.monotonic() + limit
        seen = -1
        while seen != len(self.raw) and time.monotonic() < deadline:
            seen = len(self.raw)
            self._read(seconds)
        return self.text()

    def end(self, seconds=30):
        """The exit status, when all output has been read."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.1)
        while self._read(0):
            if not select.select([self.master], [], [], 0)[0]:
                break
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def close(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        with contextlib.suppress(OSError):
            os.close(self.master)


class ContainerTerminal(Terminal):
    """`RUNTIME run` of a bundle whose process has a terminal."""

    def __init__(self, runtime, bundle, **size):
        self.runtime, self.id = runtime, f"tty-{uuid.uuid4().hex[:10]}"
        super().__init__(runtime_command(runtime) + ["run", "--bundle", str(bundle), self.id],
                         **size)

    def close(self):
        super().close()
        subprocess.run(runtime_command(self.runtime) + ["delete", "--force", self.id],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
