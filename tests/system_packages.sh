#!/bin/sh
# Installs what the GUI and its tests need from Debian or Ubuntu, and with "page" a browser for the
# tests of the page and curl for those of its docs; elsewhere, and where everything is there already,
# it does nothing. As a user without root it asks through sudo.
set -e
packages="xvfb xauth libgl1 libegl1 libgl1-mesa-dri libxkbcommon-x11-0 libdbus-1-3 libxcb-cursor0
 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-xinerama0
 libxcb-shape0 libxcb-xinput0"
if [ "$1" = page ]; then
    command -v curl || packages="$packages curl ca-certificates"
    command -v chromium || command -v chromium-browser || command -v google-chrome ||
        packages="$packages chromium"
fi >/dev/null
command -v apt-get >/dev/null || exit 0
missing=$(for p in $packages; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || echo "$p"
done)
[ -n "$missing" ] || exit 0
root=""
[ "$(id -u)" = 0 ] || root=sudo
$root apt-get update -qq
# shellcheck disable=SC2086
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
