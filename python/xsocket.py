# SPDX-License-Identifier: MIT
"""Sockets of another network namespace, for Python.

A thin layer over libxsocket.so. An xsocket server in the other namespace makes the socket::

    import socket, xsocket
    with xsocket.socket("/run/xsocket/default", socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("", 3000))
        listener.listen()

See xsocket(3). XSOCKET_LIBDIR names the directory of the library, instead of the linker's.
"""

from __future__ import annotations

import ctypes
import operator
import os
import socket as _socket
from typing import Optional, Union

__all__ = ["DEFAULT_PATH", "socket"]

#: Where a server listens unless it is told otherwise.
DEFAULT_PATH = "/run/xsocket/default"

_SONAME = "libxsocket.so.1"
_library: Optional[ctypes.CDLL] = None


class _Descriptor(ctypes.c_int):
    """What the library returns, closed unless a socket takes it: a signal handler may raise first."""

    def __del__(self) -> None:
        if self.value >= 0:
            os.close(self.value)


def _load() -> ctypes.CDLL:
    """Loads the library at the first use, so that importing this module cannot fail."""
    # No lock: a signal handler could wait for it for ever, and a second load does no harm.
    global _library
    if _library is None:
        name = os.path.join(os.environ.get("XSOCKET_LIBDIR", ""), _SONAME)
        try:
            library = ctypes.CDLL(name, use_errno=True)
        except OSError as error:
            remedy = "name the directory of libxsocket.so.1 in XSOCKET_LIBDIR or LD_LIBRARY_PATH"
            raise OSError(f"{error}: {remedy}") from None
        library.xsocket.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_int]
        library.xsocket.restype = _Descriptor
        _library = library
    return _library


def socket(
    path: Union[str, bytes, "os.PathLike[str]", None] = None,
    family: int = _socket.AF_INET,
    type: int = _socket.SOCK_STREAM,
    proto: int = 0,
) -> _socket.socket:
    """Makes a socket in the network namespace of the server at ``path``.

    ``path`` is a filesystem path, or ``"@name"`` for the abstract namespace; None means
    DEFAULT_PATH. The other arguments are those of ``socket.socket()``. The caller owns the socket.
    Like all sockets of Python it is not inherited by child programs. The call waits at most 5000 ms
    (XSOCKET_TIMEOUT_MS in the environment, milliseconds) and lets other threads run meanwhile;
    Python's signal handlers, and so Ctrl-C, run when it returns.

    Raises OSError, with ``errno`` as xsocket(3) lists it and ``filename`` the server's path; and
    OSError without an errno when libxsocket.so.1 cannot be loaded. ValueError for a path with a NUL
    byte, OverflowError for a number that fits no C int.
    """
    # fsencode: a NUL byte would cut the path silently in C
    name = None if path is None else os.fsencode(path)
    if name is not None and b"\0" in name:
        raise ValueError("the path of a control socket holds a NUL byte: give a path, or @name")
    family, type, proto = (operator.index(number) for number in (family, type, proto))
    # ctypes would wrap them silently
    if any(not -(2**31) <= number < 2**31 for number in (family, type, proto)):
        raise OverflowError("family, type and proto have to fit a C int")
    returned = _load().xsocket(name, family, type | _socket.SOCK_CLOEXEC, proto)
    if returned.value < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), DEFAULT_PATH if path is None else path)
    # Made before it gets the descriptor, so that one of the two closes it, whatever raises between.
    made = _socket.socket.__new__(_socket.socket)
    try:
        # All three are given, since what Python would ask the kernel instead is another proto.
        _socket.socket.__init__(made, family, type, proto, returned.value)
    finally:
        if made.fileno() >= 0:
            returned.value = -1
    return made
