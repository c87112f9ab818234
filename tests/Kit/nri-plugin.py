#!/usr/bin/env python3
"""An NRI plugin that knows nothing of the daemon's code: takes the connection it is started with, and writes what it is told to a file.

The file is this program's path with .told behind it: its name and settings first, then one method a line.
"""
import os
import socket
import struct

REQUEST, RESPONSE = 1, 2
PLUGIN, RUNTIME = 1, 2  # streams of the trunk: calls of the runtime, calls of ours

told = open(os.path.abspath(__file__) + ".told", "w", buffering=1)
wire = socket.socket(fileno=int(os.environ["NRI_PLUGIN_SOCKET"]))


def exactly(count):
    data = b""
    while len(data) < count:
        piece = wire.recv(count - len(data))
        if not piece:
            raise SystemExit(0)
        data += piece
    return data


def send(stream, call, kind, message):
    packet = struct.pack(">IIBB", len(message), call, kind, 0) + message
    wire.sendall(struct.pack(">II", stream, len(packet)) + packet)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def texts(data):
    """Fields of a message that have a length, by number; the first of each."""
    at, fields = 0, {}
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            fields.setdefault(key >> 3, data[at:at + value])
            at += value
    return fields


def text(number, value):
    value = value if isinstance(value, bytes) else value.encode()
    length, head = len(value), b""
    while True:
        head += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
        length >>= 7
        if not length:
            return bytes([number << 3 | 2]) + head + value


told.write("%s %s\n" % (os.environ["NRI_PLUGIN_IDX"], os.environ["NRI_PLUGIN_NAME"]))
register = text(1, os.environ["NRI_PLUGIN_NAME"]) + text(2, os.environ["NRI_PLUGIN_IDX"])
send(RUNTIME, 1, REQUEST, text(1, "nri.pkg.api.v1alpha1.Runtime") + text(2, "RegisterPlugin") + text(3, register))
buffers = {PLUGIN: b"", RUNTIME: b""}
while True:
    stream, size = struct.unpack(">II", exactly(8))
    buffers[stream] += exactly(size)
    while len(buffers[stream]) >= 10:
        length, call, kind, _ = struct.unpack(">IIBB", buffers[stream][:10])
        if len(buffers[stream]) < 10 + length:
            break
        message, buffers[stream] = buffers[stream][10:10 + length], buffers[stream][10 + length:]
        if stream == PLUGIN and kind == REQUEST:
            request = texts(message)
            method = request[2].decode()
            config = texts(request.get(3, b"")).get(1, b"").decode() if method == "Configure" else ""
            told.write("%s %s\n" % (method, config))
            send(PLUGIN, call, RESPONSE, b"")
