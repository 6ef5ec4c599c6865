"""Downloading a checkpoint, from a server on this machine: whole, resumed, corrupt, refused."""

import dataclasses
import hashlib
import random
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from napari_sam_tune.core.errors import CheckpointError, CheckpointMissing
from napari_sam_tune.core.models.catalogue import OFFICIAL, official
from napari_sam_tune.core.models.downloads import download_checkpoint

CONTENT = random.Random(0).randbytes(3_000_000)


class Server(ThreadingHTTPServer):
    """Serves CONTENT, with HTTP ranges, as broken as it is told to be."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = CONTENT
        self.breaks_after = None
        self.ranges = True
        self.asked = []


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        content = self.server.content
        start = int(re.match(r"bytes=(\d+)-", asked)[1]) if asked and self.server.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : self.server.breaks_after])

    def log_message(self, *_):
        """Stay quiet."""


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("SAM_TUNE_CHECKPOINTS", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        checkpoint = dataclasses.replace(
            OFFICIAL["vit_b"],
            url=f"http://127.0.0.1:{server.server_port}/sam_vit_b_01ec64.pth",
            sha256=hashlib.sha256(CONTENT).hexdigest(),
        )
        monkeypatch.setitem(OFFICIAL, "vit_b", checkpoint)
        yield server
        server.shutdown()
        thread.join()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_download_reports_progress_and_is_not_repeated(server, tmp_path):
    seen = []
    path = download_checkpoint("vit_b", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert download_checkpoint("vit_b") == path
    assert server.asked == [None]
    assert names(tmp_path) == ["sam_vit_b_01ec64.pth"]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on(server, tmp_path, ranges):
    server.breaks_after = 1_500_000
    with pytest.raises(CheckpointMissing, match="By hand: download http"):
        download_checkpoint("vit_b")
    assert names(tmp_path) == ["sam_vit_b_01ec64.pth.part"]
    kept = (tmp_path / "sam_vit_b_01ec64.pth.part").stat().st_size
    assert 0 < kept <= 1_500_000
    server.breaks_after, server.ranges = None, ranges
    seen = []
    path = download_checkpoint("vit_b", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={kept}-"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert (seen[0][0] > kept) == ranges


def test_a_part_that_is_too_long_is_begun_again(server, tmp_path):
    (tmp_path / "sam_vit_b_01ec64.pth.part").write_bytes(CONTENT + b"more")
    assert download_checkpoint("vit_b").read_bytes() == CONTENT


def test_a_corrupt_file_is_thrown_away(server, tmp_path):
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        download_checkpoint("vit_b")
    assert names(tmp_path) == []
    server.content = CONTENT
    assert download_checkpoint("vit_b").read_bytes() == CONTENT


def test_without_a_connection_the_manual_way_is_told(server, tmp_path, monkeypatch):
    gone = dataclasses.replace(OFFICIAL["vit_b"], url="http://127.0.0.1:9/sam_vit_b_01ec64.pth")
    monkeypatch.setitem(OFFICIAL, "vit_b", gone)
    with pytest.raises(CheckpointMissing) as caught:
        download_checkpoint("vit_b")
    for hint in (gone.url, str(tmp_path / "sam_vit_b_01ec64.pth"), gone.sha256, "HTTPS_PROXY"):
        assert hint in str(caught.value)


def test_a_proxy_is_used(server, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    elsewhere = dataclasses.replace(
        OFFICIAL["vit_b"], url="http://checkpoints.invalid/sam_vit_b_01ec64.pth"
    )
    monkeypatch.setitem(OFFICIAL, "vit_b", elsewhere)
    assert download_checkpoint("vit_b").read_bytes() == CONTENT


def test_unknown_names_are_refused():
    with pytest.raises(CheckpointError, match="vit_b, vit_l, vit_h"):
        official("vit_x")
