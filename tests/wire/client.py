"""An xsocket client for tests, written from the protocol's description alone.

usage: client.py PATH ask [--half-close] DOMAIN,TYPE,PROTOCOL ...
       client.py PATH raw HEX ...

ask sends these requests on one connection, all before the first answer is read, and prints a line
of JSON for each answer; with --half-close the sending side is shut down first. raw sends these
bytes, each as one packet on a connection of its own, and prints what came: a line of hexadecimal
digits, or "closed".
"""

import array
import json
import os
import socket
import struct
import sys

ASK, ANSWER = 0x58533031, 0x58533032
SO_NETNS_COOKIE = 71
WAIT_S = 10


def connected(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(WAIT_S)
    connection.connect("\0" + path[1:] if path.startswith("@") else path)
    return connection


def received(connection):
    """One packet and the descriptors that came with it."""
    fds = array.array("i")
    data, control, flags, _ = connection.recvmsg(64, socket.CMSG_SPACE(8 * fds.itemsize))
    for level, kind, payload in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(payload)
    return data, list(fds), flags


def described(data, fds, flags):
    signature, error = struct.unpack(">II", data)
    assert signature == ANSWER and flags & socket.MSG_CTRUNC == 0, (data, flags)
    assert len(fds) == (1 if error == 0 else 0), fds
    if error:
        return {"error": error}
    with socket.socket(fileno=fds[0]) as taken:
        try:
            told = taken.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
        except OSError:  # before Linux 5.14
            told = bytes(8)
        return {
            "error": 0,
            "domain": taken.family,
            "type": taken.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE),
            "protocol": taken.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL),
            "blocking": os.get_blocking(taken.fileno()),
            "cookie": str(struct.unpack("Q", told)[0]),
        }


def ask(path, words):
    half_close = words[:1] == ["--half-close"]
    requests = [tuple(map(int, word.split(","))) for word in words[half_close:]]
    with connected(path) as connection:
        for request in requests:
            connection.send(struct.pack(">IIIi", ASK, *request))
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        for _ in requests:
            print(json.dumps(described(*received(connection))))
        if half_close:
            assert connection.recv(1) == b"", "something came after the last answer"


def raw(path, packets):
    for packet in packets:
        with connected(path) as connection:
            connection.send(bytes.fromhex(packet))
            try:
                data, fds, _ = received(connection)
            except ConnectionResetError:
                data, fds = b"", []
            print(data.hex() or "closed", *fds)


{"ask": ask, "raw": raw}[sys.argv[2]](sys.argv[1], sys.argv[3:])
