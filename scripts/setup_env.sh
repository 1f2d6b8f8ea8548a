#!/bin/sh
# Make the virtual environment VENV and install requirements/GROUP.txt and the project into it.
#
# Usage: sh scripts/setup_env.sh VENV GROUP          GROUP: demo or dev
#
# Uses uv when it is there or can be installed, and pip otherwise; both check every hash.
set -eu

venv=$1
group=$2
requirements=requirements/$group.txt
wanted='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
        if "$name" -c "$wanted" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    {
        echo "pinnersage needs Python 3.11 or newer; found: $(python3 --version 2>&1 || echo none)."
        echo "Install one, or name it: make PYTHON=/path/to/python3.11 ..."
    } >&2
    exit 1
}

make_venv() {
    "$1" -m venv "$venv" 2>/dev/null && return
    rm -rf "$venv"
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --seed --python "$1" "$venv"
    elif "$1" -m pip --version >/dev/null 2>&1 && "$1" -m venv --without-pip "$venv"; then
        "$1" -m pip --python "$venv/bin/python" install --quiet pip
    else
        echo "Python's venv module is incomplete here (on Debian and Ubuntu: apt install python3-venv)." >&2
        exit 1
    fi
}

find_uv() {
    if command -v uv >/dev/null 2>&1; then
        echo uv
    elif "$venv/bin/uv" --version >/dev/null 2>&1 ||
        "$venv/bin/python" -m pip install --quiet --require-hashes --only-binary :all: \
            -r requirements/uv.txt >/dev/null 2>&1; then
        echo "$venv/bin/uv"
    fi
}

with_uv() {
    export VIRTUAL_ENV="$PWD/$venv"
    "$1" pip install --quiet --require-hashes -r "$requirements" &&
        "$1" pip install --quiet --no-deps --no-build-isolation -e .
}

with_pip() {
    "$venv/bin/python" -m pip install --quiet --require-hashes -r "$requirements"
    "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation -e .
}

if ! "$venv/bin/python" -c "$wanted" >/dev/null 2>&1; then
    python=$(find_python)
    rm -rf "$venv"
    echo "Making $venv with $("$python" --version)" >&2
    make_venv "$python"
fi

"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null 2>&1 || true
uv=$(find_uv)
echo "Installing $requirements with ${uv:-pip}" >&2
if [ -z "$uv" ] || ! with_uv "$uv"; then
    [ -z "$uv" ] || echo "uv did not manage; trying pip" >&2
    with_pip
fi
touch "$venv/.installed-$group"
