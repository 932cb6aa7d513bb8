#!/bin/sh
# Says in one sentence what the system lacks for a build; silent when nothing. PYTHON names the interpreter.
set -eu

python=${PYTHON:-python3}
missing=
packages=

lacks() { # what, Debian package
    missing="$missing${missing:+, }$1"
    packages="$packages${packages:+ }$2"
}

works() {
    for tool in "$@"; do
        if "$tool" --version >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    lacks "Python 3.11 or newer as '$python' (or named by PYTHON=...)" "python3 python3-venv"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    lacks "the venv module of $python with pip" python3-venv
fi
works c++ g++ clang++ || lacks "a C++ compiler" g++
works make gmake || lacks make make
works perl || lacks perl perl

if [ -n "$missing" ]; then
    echo "intarsia needs $missing: install it with 'apt install $packages' or your system's equivalent." >&2
    exit 1
fi
