#!/bin/sh
# Runs a command on a virtual display on Linux, so that GUI tests draw for real and need no screen.
if [ "$(uname)" = Linux ]; then
    command -v xvfb-run >/dev/null || {
        echo "The GUI tests need Xvfb: run tests/system_packages.sh first." >&2
        exit 1
    }
    # not by exec: whoever kills this shell, as xdist does a slow worker, leaves one that tidies up
    xvfb-run -a -s "-screen 0 1600x1000x24" "$@"
    exit
fi
exec "$@"
