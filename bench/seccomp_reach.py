"""Which system calls the seccomp filters of a process let reach the host's kernel: the filters are fetched from the
kernel by ptrace, and each call number is put through them. What a filter asks about arguments or the instruction pointer
may be answered either way: a call counts if there are arguments with which it passes."""

import contextlib
import ctypes
import os
import struct

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, PTRACE_SECCOMP_GET_FILTER = 0x4206, 0x4207, 17, 0x420c
ARCH_X86_64 = 0xc000003e
MASK = 0xffffffff
# the action that a filter ends with: all but these let the call happen, or leave it to who watches
KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIF, ALLOW = 0x80000000, 0, 0x30000, 0x50000, 0x7fc00000, 0x7fff0000
ACTION = 0xffff0000
REFUSED = {KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIF}
CALLS = range(0, 480)

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def _ptrace(request, pid, address=0, data=None):
    ret = libc.ptrace(request, pid, address, data)
    if ret < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return ret


@contextlib.contextmanager
def _stopped(pid):
    _ptrace(PTRACE_SEIZE, pid)
    try:
        _ptrace(PTRACE_INTERRUPT, pid)
        os.waitpid(pid, 0x40000000)  # __WALL
        yield
    finally:
        _ptrace(PTRACE_DETACH, pid)


def filters(pid):
    """The filters of a thread, the last installed first: lists of (code, jt, jf, k)."""
    found = []
    with _stopped(pid):
        while True:
            try:
                length = _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(found))
            except OSError as error:
                if error.errno == 2:  # ENOENT: there are no more
                    return found
                if error.errno == 22 and not found:  # EINVAL: no filter at all
                    return found
                raise
            room = ctypes.create_string_buffer(length * 8)
            _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(found), ctypes.cast(room, ctypes.c_void_p))
            found.append([struct.unpack_from("=HBBI", room, 8 * i) for i in range(length)])


def _alu(code, a, operand):
    """The accumulator after an operation; None where an unknown value takes part."""
    if a is None or operand is None:
        return None
    operation = code & 0xf0
    return {0x00: a + operand, 0x10: a - operand, 0x20: a * operand, 0x40: a | operand, 0x50: a & operand,
            0x60: a << (operand & 31), 0x70: a >> (operand & 31), 0x80: -a, 0xa0: a ^ operand}[operation] & MASK


def _jump(code, a, operand):
    """The ways a conditional jump may go."""
    if a is None or operand is None:
        return (True, False)
    operation = code & 0xf0
    return ({0x10: a == operand, 0x20: a > operand, 0x30: a >= operand, 0x40: bool(a & operand)}[operation],)


def actions(program, number):
    """What the filter may answer to a call, for some arguments."""
    known, found = {0: number, 4: ARCH_X86_64}, set()
    todo, been = [(0, 0, 0, ())], set()
    while todo:
        state = todo.pop()
        if state in been:
            continue
        been.add(state)
        pc, a, x, memory = state
        code, jt, jf, k = program[pc]
        kind = code & 7
        if kind == 0:  # LD
            mode = code & 0xe0
            a = {0x20: known.get(k), 0x00: k, 0x60: dict(memory).get(k), 0x80: 64}[mode]
        elif kind == 1:  # LDX
            x = {0x00: k, 0x60: dict(memory).get(k), 0x80: 64}[code & 0xe0]
        elif kind in (2, 3):  # ST, STX
            memory = tuple(sorted({**dict(memory), k: a if kind == 2 else x}.items(), key=lambda item: item[0]))
        elif kind == 4:
            a = _alu(code, a, x if code & 8 else k)
        elif kind == 5:
            if code & 0xf0 == 0:
                todo.append((pc + 1 + k, a, x, memory))
            else:
                todo.extend((pc + 1 + (jt if taken else jf), a, x, memory) for taken in _jump(code, a, x if code & 8 else k))
            continue
        elif kind == 6:
            found.add(None if code & 0x18 == 0x10 and a is None else (a if code & 0x18 == 0x10 else k))
            continue
        else:  # MISC: TAX, TXA
            a, x = (x, x) if code & 0x80 else (a, a)
        todo.append((pc + 1, a, x, memory))
    return found


def reachable(programs):
    """The numbers of the calls that pass all filters."""
    def passes(program, number):
        return any(action is None or action & ACTION not in REFUSED for action in actions(program, number))
    return [number for number in CALLS if all(passes(program, number) for program in programs)]
