"""Tiny data sets in the original formats, and a server on loopback that can misbehave."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import socket
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from npintdim.data.registry import IDX_NAMES, File, Published


def idx_bytes(array):
    head = bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


def cifar_archive(batches):
    """batches: name -> bytes of its records."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        folder = tarfile.TarInfo("cifar-10-batches-bin")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def file_of(name, content, size=None):
    return File(name, size or len(content), hashlib.sha256(content).hexdigest())


class MadeUp:
    """A data set like MNIST with 7 training and 3 test images of 2×3 pixels."""

    def __init__(self, seed=0, name="made-up"):
        rng = np.random.default_rng(seed)
        self.name = name
        self.arrays = [rng.integers(0, high, shape) for high, shape in self.parts()]
        self.contents = {
            file: gzip.compress(idx_bytes(array), mtime=0)
            for file, array in zip(IDX_NAMES, self.arrays, strict=True)
        }

    @staticmethod
    def parts():
        return (256, (7, 2, 3)), (10, (7,)), (256, (3, 2, 3)), (10, (3,))

    def source(self, *mirrors):
        files = tuple(file_of(name, content) for name, content in self.contents.items())
        return Published(self.name, "idx", mirrors, files)

    def write(self, folder, names=IDX_NAMES):
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).write_bytes(self.contents[name])
        return folder


class Handler(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self):
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            self.send_header("Content-Encoding", "gzip")  # as servers do that take .gz for an encoding
        self.end_headers()
        self.wfile.write(body[: math.ceil(len(body) * self.server.share)])

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}  # path -> content
        self.asked = []
        self.share = 1.0  # of a file that is sent before the connection ends
        self.address = f"http://127.0.0.1:{self.server_port}"


def dead_address():
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


CLASSES = ("cat", "dog", "fox")


def folder_of_images(path, train=30, test=12, size=lambda i: (9 + i % 4, 8 + i % 3), mode="RGB", kind="png"):
    """Images whose mean tells their class, of several sizes."""
    from PIL import Image  # only who has it asks

    rng = np.random.default_rng(0)
    for part, n in (("train", train), ("test", test)):
        for i in range(n):
            own = path / part / CLASSES[i % 3]
            own.mkdir(parents=True, exist_ok=True)
            shape = (*size(i)[::-1], 3) if mode == "RGB" else size(i)[::-1]
            pixels = rng.integers(0, 86, shape) + 80 * (i % 3)
            Image.fromarray(pixels.astype(np.uint8)).save(own / f"{i:03}.{kind}")
    return path
