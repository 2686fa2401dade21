"""nameserver.py ADDRESS: the name server of a cell: outside.test is 10.9.9.9, no other name exists."""

import socket
import struct
import sys

ANSWER = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + bytes([10, 9, 9, 9])


def reply(query):
    end = query.index(0, 12) + 5  # the question: labels up to an empty one, type, class
    question = query[12:end]
    known = question[:-4].lower() == b"\x07outside\x04test\x00"
    address = known and question[-4:-2] == b"\0\1"
    flags = 0x8180 if known else 0x8183
    return (query[:2] + struct.pack("!HHHHH", flags, 1, int(address), 0, 0) + question
            + (ANSWER if address else b""))


def main():
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind((sys.argv[1], 53))
        while True:
            query, sender = server.recvfrom(512)
            if len(query) > 16:
                server.sendto(reply(query), sender)


if __name__ == "__main__":
    main()
