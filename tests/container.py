"""Runs what the container runs, from the installed wheel: CMD, as nobody, then HEALTHCHECK.

The image's other steps are what comes before this: a fresh environment, and the wheel installed.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parents[1]
NOBODY = 65534
SECONDS = 120


def words_after(what: str, text: str) -> list[str]:
    """Return the command in the exec form that follows an instruction."""
    found = re.search(rf"^{what}\b[^\[]*?(\[.*\])$", text, re.MULTILINE)
    if found is None:
        sys.exit(f"FAILED  the Dockerfile has no {what} in the exec form")
    return [str(word) for word in json.loads(found[1])]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def can_be_nobody() -> bool:
    """Whether this is root, and nobody else may run this Python, wherever it was installed."""
    if os.geteuid() != 0:
        return False
    try:
        return subprocess.run([sys.executable, "-c", ""], user=NOBODY, check=False).returncode == 0
    except PermissionError:
        return False


def main() -> None:
    """Start the server as the container would, and ask it what the container asks."""
    text = (HERE / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    port = str(free_port())
    folder = tempfile.TemporaryDirectory()
    place = Path(folder.name)
    token = secrets.token_urlsafe(24)
    (place / "token").write_text(token + "\n")
    (place / "data").mkdir()
    user = NOBODY if can_be_nobody() else None
    for path in (place, place / "token", place / "data"):
        if user is not None:
            os.chown(path, user, user)
    put = {"8765": port, "/data": str(place / "data"), "0.0.0.0": "127.0.0.1"}
    put["/run/secrets/sam_tune_token"] = str(place / "token")
    health, command = (
        [put.get(word, word).replace(":8765/", f":{port}/") for word in words_after(what, text)]
        for what in ("HEALTHCHECK", "CMD")
    )
    own = {**os.environ, "HOME": str(place), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    server = subprocess.Popen(command, cwd=place, env=own, stdout=subprocess.PIPE, user=user)
    try:
        for _ in range(SECONDS):
            if subprocess.run(health, env=own, stderr=subprocess.DEVNULL, check=False).returncode:
                time.sleep(1)  # as the container's engine does between two looks
            else:
                break
        else:
            sys.exit("FAILED  the container's command is not healthy")
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/weights", headers={"Authorization": f"Bearer {token}"}
        )
        said = json.load(urllib.request.urlopen(asked, timeout=30))
    finally:
        server.terminate()
        written = server.communicate(timeout=30)[0].decode()
    if said["base"] != "starter" or token in written:
        sys.exit(f"FAILED  it says {said} and writes {written}")
    print("ok      what the container runs is healthy, answers who has the token, and tells it not")
    folder.cleanup()


if __name__ == "__main__":
    main()
