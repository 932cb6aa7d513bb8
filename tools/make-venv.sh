#!/bin/sh
# Makes .venv, or updates it after pyproject.toml or constraints.txt changed; the argument `dev` adds what
# tests and lint need. Where nothing changed it does nothing and needs no network.
set -eu
cd "$(dirname "$0")/.."
tools/check-system.sh

extra=${1:-}
folder=$(pwd -P)
files=$(cat pyproject.toml constraints.txt | cksum)
python=.venv/bin/python
complete=.venv/.complete # written last: for which folder, files and extra
unfinished=.venv-unfinished # beside .venv while that is removed and made: it outlives an interrupted rm

old_folder=$folder old_files= old_extra=
if [ -f "$complete" ]; then
    { read -r old_folder && read -r old_files && read -r old_extra; } <"$complete" || old_files=
fi

# Interrupted, moved here from elsewhere, or without its interpreter: from nothing again.
is_venv() { "$python" -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null; }
if [ -e "$unfinished" ] || [ "$old_folder" != "$folder" ] || ! is_venv; then
    touch "$unfinished"
    rm -rf .venv
    old_files=
fi

if [ "$old_extra" = dev ]; then extra=dev; fi
if [ "$old_files" = "$files" ] && [ "$old_extra" = "${extra:-none}" ]; then exit 0; fi

rm -f "$complete"
if [ -e "$unfinished" ]; then
    echo "Installing into .venv, which takes a few minutes the first time."
    "${PYTHON:-python3}" -m venv .venv
else
    echo "Updating .venv."
fi
install() {
    # Whatever happened to .venv, pip must not reach the interpreter that it was made from.
    PIP_REQUIRE_VIRTUALENV=1 "$python" -m pip install -qq --disable-pip-version-check --constraint constraints.txt "$@"
}
install setuptools
install --no-build-isolation --editable ".${extra:+[$extra]}"
rm -f "$unfinished"
printf '%s\n' "$folder" "$files" "${extra:-none}" >"$complete"
