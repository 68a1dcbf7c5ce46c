#!/bin/sh
# Makes the Python environment of the tests' clients in the cache, of exactly the versions in python-packages.txt.
# Nothing is done when it is there.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/setup/env.sh"

done_mark="$python_home/ready"
[ -e "$done_mark" ] && exit 0
mkdir -p "$cache"
exec 7>"$cache/python.lock" # an environment cannot be moved, so it is made in its place, by one at a time
flock 7
[ -e "$done_mark" ] && exit 0

fail() {
    echo "weir set-up: $*" >&2
    exit 1
}
echo "weir set-up: fetching Python packages for the tests' clients"
python=$(find_python) || fail "no Python of version 3.$python_least or newer with its module ensurepip was found"
rm -rf "$python_home"
"$python" -m venv "$python_home" || fail "$python -m venv $python_home failed; see the message above"
# No dependencies are looked for: the list has them all. No package is built here, which would need compilers.
"$WEIR_PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    -r "$root/setup/python-packages.txt" ||
    fail "pip could not install setup/python-packages.txt. Check that pip reaches its index (a proxy or mirror belongs in pip.conf), then run make again"
touch "$done_mark"
