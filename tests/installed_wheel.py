"""Checks the installed package from outside the checkout: manifest, resources, command, import."""

import subprocess
import sys
import time
from importlib.metadata import distribution
from pathlib import Path

import npe2

start = time.perf_counter()
import napari_sam_tune  # noqa: E402

seconds = time.perf_counter() - start
package = Path(napari_sam_tune.__file__).parent


def check(holds: bool, what: str) -> None:
    print(("ok      " if holds else "FAILED  ") + what)
    if not holds:
        sys.exit(1)


check("site-packages" in str(package), f"imported from {package}")
check(
    not {"torch", "napari", "qtpy"} & set(sys.modules), "importing loads neither torch nor napari"
)
check(seconds < 0.1, f"importing takes {seconds * 1000:.0f} ms")

manifest = npe2.PluginManifest.from_distribution("napari-sam-tune")
check(manifest.name == distribution("napari-sam-tune").name, "manifest and distribution agree")
manifest.validate_imports()
check(True, "everything the manifest names can be imported")
check((package / "resources" / "starter.safetensors").is_file(), "starter weights are in the wheel")
check(any((package / "resources" / "samples" / "images").iterdir()), "samples are in the wheel")
check((package / "service" / "page" / "index.html").is_file(), "the page is in the wheel")

command = Path(sys.executable).parent / "napari-sam-tune"
out = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
check(out.returncode == 0 and "demo" in out.stdout, "the command runs")
