"""An xsocket server for tests, written from the protocol's description alone.

usage: server.py PATH [--blocking | --nonblocking] [--reply HEX] [--attach KIND ...] [--answers N]

Answers any number of requests on each connection, or N of them, one connection after the other.
--reply sends these bytes instead of the right ones, --attach these descriptors instead of the socket
asked for: file, bound, unix, or asked (the right one). With --blocking SOCK_NONBLOCK is not heeded,
with --nonblocking every socket has it. Prints a line of JSON for each request, and "closed" when a
connection has ended.
"""

import argparse
import json
import os
import socket
import struct

REQUEST = struct.Struct(">IIIi")
RESPONSE = struct.Struct(">II")
ASK, ANSWER = 0x58533031, 0x58533032


def made(kind, domain, kind_of_socket, protocol):
    """One descriptor to attach."""
    if kind == "file":
        return os.open("/dev/null", os.O_RDONLY)
    if kind == "unix":
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach()
    asked = socket.socket(domain, kind_of_socket, protocol)
    if kind == "bound":
        asked.bind(("::1" if domain == socket.AF_INET6 else "127.0.0.1", 0))
    return asked.detach()


def answer(connection, packet, options):
    domain, kind, protocol = REQUEST.unpack(packet)[1:]
    print(json.dumps({"domain": domain, "type": kind, "protocol": protocol}), flush=True)
    if options.blocking:
        kind &= ~socket.SOCK_NONBLOCK
    if options.nonblocking:
        kind |= socket.SOCK_NONBLOCK
    error, fds = 0, []
    try:
        fds = [made(one, domain, kind, protocol) for one in options.attach]
    except OSError as failure:
        error = failure.errno
    data = RESPONSE.pack(ANSWER, error) if options.reply is None else options.reply
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []
    try:
        connection.sendmsg([data], rights, socket.MSG_NOSIGNAL)
    finally:
        for fd in fds:
            os.close(fd)


def serve(connection, options):
    with connection:
        answers = 0
        while answers != options.answers and (packet := connection.recv(REQUEST.size + 1)):
            if len(packet) != REQUEST.size or REQUEST.unpack(packet)[0] != ASK:
                print("malformed", flush=True)
                return
            answer(connection, packet, options)
            answers += 1
    print("closed", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--blocking", action="store_true")
    parser.add_argument("--nonblocking", action="store_true")
    parser.add_argument("--reply", type=bytes.fromhex)
    parser.add_argument("--attach", nargs="*", default=["asked"])
    parser.add_argument("--answers", type=int)
    options = parser.parse_args()
    address = "\0" + options.path[1:] if options.path.startswith("@") else options.path
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen()
        while True:
            serve(listener.accept()[0], options)


main()
