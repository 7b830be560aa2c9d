# Sourced by scripts/test and scripts/demo: makes a virtual environment with pinned packages.
# Says which line installs what is missing instead of failing halfway.

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] || continue
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    echo "Error: Python 3.11 or newer was not found. On Debian or Ubuntu: sudo apt-get install python3" >&2
    return 1
}

# make_environment FOLDER EXTRAS: a virtual environment in FOLDER holding this checkout and its EXTRAS ("" for none)
make_environment() {
    local folder=$1 extras=$2 python stamp
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "Error: $python cannot make virtual environments. On Debian or Ubuntu: sudo apt-get install python3-venv" >&2
        return 1
    fi
    # Install again only when what is asked for has changed.
    stamp="$(cat pyproject.toml constraints.txt | cksum) $extras $python"
    if [ ! -x "$folder/bin/python" ]; then
        echo "Making the environment in $folder"
        "$python" -m venv "$folder"
    fi
    if [ "$(cat "$folder/.installed" 2>/dev/null)" != "$stamp" ]; then
        echo "Installing voiceprint${extras:+ with $extras}"
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
            --constraint constraints.txt --editable ".${extras:+[$extras]}"
        echo "$stamp" >"$folder/.installed"
    fi
}
