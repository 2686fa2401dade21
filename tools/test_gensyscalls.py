#!/usr/bin/python3
"""The system call table's generator: what it accepts, and how it refuses the rest."""

import os
import subprocess
import sys
import tempfile
import unittest

GENERATOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gensyscalls.py")


class GenSyscalls(unittest.TestCase):
    def generate(self, text):
        with tempfile.TemporaryDirectory() as tmp:
            table, h, c = (os.path.join(tmp, name) for name in ("t.tbl", "t.h", "t.c"))
            with open(table, "w", encoding="utf-8") as out:
                out.write(text)
            run = subprocess.run([sys.executable, GENERATOR, table, h, c],
                                 capture_output=True, text=True, check=False)
            if run.returncode:
                return run.stderr.replace(tmp + "/", ""), None
            with open(h, encoding="utf-8") as one, open(c, encoding="utf-8") as two:
                return one.read(), two.read()

    def refused(self, text, message):
        error, generated = self.generate(text)
        self.assertIsNone(generated)
        self.assertIn(message, error)

    def test_good(self):
        h, c = self.generate("0 read sys_read 3 - full a,b\n39 getpid sys_getpid 0 fast,quiet full - # why\n"
                             "1 write - 3 - refused:ENOSYS - as a disk\n")
        self.assertIn("long sys_read(u64, u64, u64);", h)
        self.assertIn("long sys_getpid(void);", h)
        self.assertIn("#define SYSCALLS_SERVED 2", h)
        self.assertIn('(void)){}, "getpid", 0, SYSCALL_FAST | SYSCALL_QUIET'.format("sys_getpid"), c)
        self.assertIn('[1] = { NULL, "write", 3, 0 }', c)
        self.assertIn('[60] = { NULL, "exit", 0, 0 }', c)

    def test_bad(self):
        self.refused("0 read sys_read 3 - full\n", "t.tbl:1: expected 7 fields")
        self.refused("# one\nx read sys_read 3 - full -\n", "t.tbl:2: bad system call number")
        self.refused("0 read sys_read 7 - full -\n", "t.tbl:1: bad number of arguments")
        self.refused("0 write sys_read 3 - full -\n", "t.tbl:1: number 0 is 'read'")
        self.refused("0 read a 3 - full -\n0 read b 3 - full -\n", "t.tbl:2: '0' is there twice")
        self.refused("0 read a-b 3 - full -\n", "t.tbl:1: bad handler")
        self.refused("511 read a 3 - full -\n", "t.tbl:1: 'read' has another number")

    def test_bad_status(self):
        self.refused("0 read sys_read 3 - whole -\n", "t.tbl:1: bad status 'whole'")
        self.refused("0 read sys_read 3 - full - or so\n", "t.tbl:1: text behind 'full'")
        self.refused("0 read sys_read 3 - partial -\n", "t.tbl:1: 'partial' without saying")
        self.refused("0 read - 3 - full -\n", "t.tbl:1: calls without a handler")
        self.refused("0 read sys_read 3 - refused:ENOSYS - why\n", "t.tbl:1: calls without a handler")
        self.refused("0 read sys_refused 3 - partial - why\n", "t.tbl:1: sys_refused is")


if __name__ == "__main__":
    unittest.main()
