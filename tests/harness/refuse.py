"""Runs a program under a seccomp filter that refuses one system call with one value of an argument.

    refuse.py CALL ARGUMENT VALUE ERRNO PROGRAM...
"""
import ctypes
import errno
import os
import platform
import struct
import sys

CALLS = "socket", "connect", "bind", "getsockopt", "clone", "flock", "close_range"
NUMBERS = {
    "x86_64": dict(zip(CALLS, (41, 42, 49, 55, 56, 73, 436))),
    "aarch64": dict(zip(CALLS, (198, 203, 200, 209, 220, 32, 436))),
}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
REFUSE, ALLOW = 0x00050000, 0x7FFF0000
ARGUMENTS_AT = 16  # in struct seccomp_data; the call's number is at 0

call, argument, value, code, *program = sys.argv[1:]
steps = [
    (LOAD_WORD, 0, 0, 0),
    (JUMP_IF_EQUAL, 0, 3, NUMBERS[platform.machine()][call]),
    (LOAD_WORD, 0, 0, ARGUMENTS_AT + 8 * int(argument)),
    (JUMP_IF_EQUAL, 0, 1, int(value)),
    (RETURN, 0, 0, REFUSE | getattr(errno, code)),
    (RETURN, 0, 0, ALLOW),
]
instructions = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
whole = Program(len(steps), ctypes.addressof(instructions))
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(whole)) != 0:
    sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(program[0], program)
