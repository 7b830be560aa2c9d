# Sourced by the scripts that need packages: makes virtual environments with pinned packages.
# Says which line installs what is missing instead of failing halfway.

# find_python: prints a Python of 3.11 or newer that can make virtual environments
find_python() {
    local candidate newest=
    for candidate in "${PYTHON:-}" python3.14 python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] || continue
        command -v "$candidate" >/dev/null 2>&1 || continue
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
        newest=${newest:-$candidate}
    done
    if [ -n "$newest" ]; then
        local version
        version=$("$newest" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "Error: $(command -v "$newest") cannot make virtual environments (ensurepip is missing)." \
            "On Debian or Ubuntu: sudo apt-get install python$version-venv" >&2
    else
        echo "Error: Python 3.11 or newer was not found. On Debian or Ubuntu:" \
            "sudo apt-get install python3 python3-venv" >&2
    fi
    return 1
}

# install_pinned PYTHON ARGUMENTS...: pip install with the versions of constraints.txt, those of the build as well
install_pinned() {
    local python=$1
    shift
    if ! PIP_BUILD_CONSTRAINT=constraints.txt PIP_CONSTRAINT=constraints.txt \
        "$python" -m pip install --quiet --disable-pip-version-check "$@"; then
        echo "Error: pip could not install the packages; the reason is above. Run this again to go on." >&2
        if ! command -v cc >/dev/null 2>&1 || ! command -v c++ >/dev/null 2>&1; then
            echo "There is no C++ compiler here, which packages without a ready build need." \
                "On Debian or Ubuntu: sudo apt-get install build-essential python3-dev" >&2
        fi
        return 1
    fi
}

# make_environment FOLDER EXTRAS: a virtual environment in FOLDER holding this checkout and its EXTRAS ("" for none)
make_environment() {
    local folder=$1 extras=$2 python stamp
    python=$(find_python) || return 1
    # Install again only when what is asked for has changed.
    stamp="$(cat pyproject.toml constraints.txt | cksum) $extras $python $PWD"
    if [ "$(cat "$folder/.installed" 2>/dev/null)" = "$stamp" ] && "$folder/bin/python" -c '' 2>/dev/null; then
        return 0
    fi
    # One that was interrupted, or whose Python has gone, is made anew.
    if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
        echo "Making the environment in $folder"
        "$python" -m venv --clear "$folder" || return 1
    fi
    echo "Installing voiceprint${extras:+ with $extras}"
    install_pinned "$folder/bin/python" --editable ".${extras:+[$extras]}" || return 1
    echo "$stamp" >"$folder/.installed"
}

# build_web: checks and tests the engine for browsers (web/), and builds what `voiceprint web build` takes; with Node alone
build_web() {
    if ! command -v npm >/dev/null 2>&1; then
        echo "Node is not here, so the engine for browsers is not built and its tests are skipped." \
            "On Debian or Ubuntu: sudo apt-get install nodejs npm" >&2
        return 0
    fi
    # Installed again only when what is asked for has changed.
    if ! [ web/node_modules/.package-lock.json -nt web/package-lock.json ]; then
        npm ci --prefix web --silent || return 1
    fi
    npm test --prefix web --silent && npm run build --prefix web --silent
}
