# Stands in for the service manager of a test: a datagram socket as systemd opens one; each message becomes a line of JSON with the process that sent it.
import json
import os
import socket
import struct
import sys

door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
door.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
door.bind(sys.argv[1])
print(json.dumps({"listening": sys.argv[1]}), flush=True)
while True:
    text, ancillary, _, _ = door.recvmsg(4096, 1024)
    pid = 0
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid = struct.unpack("3i", data[:12])[0]
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            # A barrier: whoever sent it waits until this is closed.
            for (number,) in struct.iter_unpack("i", data):
                os.close(number)
    for word in text.decode().split("\n"):
        if word and word != "BARRIER=1":
            print(json.dumps({"word": word, "pid": pid}), flush=True)
