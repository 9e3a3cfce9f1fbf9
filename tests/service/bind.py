"""Takes a TCP socket from the server at argv[1], with SO_REUSEPORT, and binds it to port argv[2].

Prints "bound", or the errno's name of the failure, and holds the socket until the end of stdin.
"""

import errno
import socket
import struct
import sys


def take(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.connect(path.replace("@", "\0", 1) if path.startswith("@") else path)
        control.send(struct.pack("!Iiii", 0x58533031, socket.AF_INET, socket.SOCK_STREAM, 0))
        reply, fds, _, _ = socket.recv_fds(control, 16, 1)
    _, error = struct.unpack("!II", reply)
    if error:
        raise OSError(error, "refused")
    return socket.socket(fileno=fds[0])


try:
    with take(sys.argv[1]) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", int(sys.argv[2])))
        taken.listen()
        print("bound", flush=True)
        sys.stdin.read()
except OSError as failure:
    print(errno.errorcode[failure.errno], flush=True)
