"""Runs a program to which the kernel gives sockets of some address families only, as RestrictAddressFamilies= of a unit
does. Arguments: the families, in one argument; then the program and its arguments."""

import ctypes
import errno
import os
import platform
import socket
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
# linux/audit.h, asm/unistd.h: what each machine calls socket(2).
SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NUMBER_AT, FIRST_ARGUMENT_AT = 0, 16


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(Instruction))]


families = [getattr(socket, name) for name in sys.argv[1].split()]
left = len(families)
instructions = [(LOAD, 0, 0, NUMBER_AT), (EQUAL, 0, left + 2, SOCKET), (LOAD, 0, 0, FIRST_ARGUMENT_AT)]
instructions += [(EQUAL, left - at, 0, family) for at, family in enumerate(families)]
instructions += [(RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT), (RETURN, 0, 0, ALLOW)]
laid_out = (Instruction * len(instructions))(*(Instruction(*each) for each in instructions))
program = Program(len(instructions), laid_out)
libc = ctypes.CDLL(None, use_errno=True)
for option, *values in [(PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))]:
    if libc.prctl(option, *values, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
os.execvp(sys.argv[2], sys.argv[2:])
