# Shared by the scripts: what a machine needs, and the project's own environments.
# shellcheck shell=bash

venv=.venv # another one where a script says so

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "${0##*/}: $*"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Run a command; show the end of what it says only when it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 || status=$?
    ((status == 0)) || tail -n 30 "$log" >&2
    rm -f "$log"
    return "$status"
}

# The interpreter to use: $PYTHON, else the first that is new enough and not free-threaded; where there is none, it is
# installed.
find_python() {
    local round packages
    for round in here installed; do
        new_enough_python && return
        [[ $round == here ]] || break
        have apt-get || break
        update_package_lists
        mapfile -t packages < <(python_packages | tr ' ' '\n')
        ((${#packages[@]})) || break
        install_packages "${packages[@]}"
    done
    fail "Python 3.11 or newer is needed, and this system has no package of it; install it and run this again, or name it: PYTHON=/path/to/python3 $0"
}

fits='import sys; sys.exit(sys.version_info < (3, 11) or "t" in sys.abiflags)'

new_enough_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.{14..11}; do
        if have "$candidate" && "$candidate" -c "$fits" 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# Print the Debian packages of an interpreter that is new enough, with what it needs to build and install: the system's
# own one, else the newest beside it (Ubuntu 22.04 has Python 3.10, and a python3.11 in "universe").
python_packages() {
    local version name
    version=$(candidate_version python3)
    if [[ $version ]] && dpkg --compare-versions "$version" ge 3.11; then
        echo python3 python3-venv python3-dev
        return
    fi
    for name in python3.{14..11}; do
        if [[ $(candidate_version "$name") ]]; then
            echo "$name" "$name-venv" "$name-dev"
            return
        fi
    done
}

# The version of a package that apt-get would install; nothing if there is none.  A name that there is not is a regular
# expression for apt-cache: to it, python3.14 is postgresql-plpython3-14.
candidate_version() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null |
        awk -v heading="$1:" '/^[^ ]/ { is_it = $0 == heading } is_it && $1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# One interpreter for each version of Python that is supported and here, oldest first.
every_python() {
    local candidate number
    local -A found=()
    for candidate in python3.{11..19} python3 "$HOME"/.pyenv/versions/3.*/bin/python3 \
        "$HOME"/.local/share/uv/python/cpython-3.*/bin/python3; do
        number=$("$candidate" -c 'import sys, venv; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        "$candidate" -c "$fits" || continue
        [[ -n ${found[$number]-} ]] || found[$number]=$(type -P "$candidate")
    done
    for number in "${!found[@]}"; do
        printf '%s %s\n' "$number" "${found[$number]}"
    done | sort --version-sort | cut -d ' ' -f 2-
}

compiler_works() {
    have cc && printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | cc -x c -o /dev/null - 2>/dev/null
}

# Print the Debian packages that stand for what is missing here.  What is there is found by trying, not by its
# package: an interpreter or a compiler may come from elsewhere.
missing_packages() {
    local python=$1
    have fusermount3 || echo fuse3
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "${python##*/}-venv"
    "$venv/bin/python" -c 'import pyfuse3' 2>/dev/null && return # built already
    have pkg-config || echo pkg-config
    { have pkg-config && pkg-config --exists fuse3; } || echo libfuse3-dev
    compiler_works || echo gcc libc6-dev
    "$python" -c 'import pathlib, sysconfig, sys
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' || echo "${python##*/}-dev"
}

# Run a command as root: by itself, or by sudo.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        fail "this has to be done as root, and there is no sudo: $*"
    fi
}

update_package_lists() {
    [[ ! ${lists_are_new-} ]] || return 0
    ((EUID == 0)) || say "Your password may be asked for: sudo apt-get update"
    quietly as_root apt-get update || say "apt-get update failed; trying with the package lists that are here"
    lists_are_new=1
}

# Install Debian packages; nothing to do when none is named.
install_packages() {
    (($#)) || return 0
    have apt-get || fail "missing here (Debian's names): $*; install them with this system's package manager and run this again"
    if ((EUID == 0)); then
        say "Installing: $*"
    elif have sudo; then
        say "Your password may be asked for: sudo apt-get install $*"
    else
        fail "missing here: $*; install them as root (apt-get install $*) and run this again"
    fi
    update_package_lists
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" ||
        fail "apt-get could not install: $*"
}

# What developers work with, each version with its hashes; scripts/packaging/lock writes it.
development_lock=scripts/packaging/locks/development.txt

# Make the environment $venv and install the project into it, in place; quick when it is there already.  $2: extras, such
# as [demo]; with [test] the locked versions.
install_project() {
    local python=$1 extras=${2-}
    local stamp=$venv/.coursefs$extras now
    now="$PWD $(cat pyproject.toml "$development_lock" | sha256sum)"
    if [[ -r $stamp && $(<"$stamp") == "$now" ]] && "$venv/bin/coursefs" --version >/dev/null 2>&1; then
        return
    fi
    if ! "$venv/bin/pip" --version >/dev/null 2>&1; then
        say "Making $venv with $("$python" --version)"
        "$python" -m venv --clear "$venv"
    fi
    say "Installing coursefs$extras into $venv (a minute or two the first time)"
    if [[ $extras == '[test]' ]] && install_locked; then
        # what builds it is among the locked packages
        pip_install --no-deps --no-build-isolation --editable . || fail "pip could not install coursefs; the reason is above"
    else
        pip_install --editable ".$extras" || fail "pip could not install coursefs; the reason is above"
    fi
    printf '%s\n' "$now" >"$stamp"
}

pip_install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

# Install the locked packages of developers; fails, and says so, where the index lacks one of them.  A package that is
# there with another hash is not to be used at all.
install_locked() {
    local said
    said=$(pip_install --require-hashes --requirement "$development_lock" 2>&1) && return
    if [[ $said == *"DO NOT MATCH THE HASHES"* ]]; then
        say "$said"
        fail "a package is not the one that is locked in $development_lock"
    fi
    said=$(grep '^ *ERROR: ' <<<"$said" || printf '%s' "$said")
    said=${said##*$'\n'} # those before list every version that there is
    say "Not as locked, but the newest that pyproject.toml allows, because pip says: ${said#*ERROR: }"
    return 1
}

# Install clients that others wrote (the extra "clients"), as locked, into an environment of their own: what they need is
# none of our business.  Tests of them are skipped where this fails.
install_clients() {
    local python=$1 now lock=scripts/packaging/locks/clients.txt
    local stamp=.venv-clients/.clients
    now="$PWD $(sha256sum <"$lock")"
    [[ -r $stamp && $(<"$stamp") == "$now" ]] && return
    say "Installing clients of others into .venv-clients"
    "$python" -m venv --clear .venv-clients || { say "there will be no clients of others"; return; }
    if timeout 90 .venv-clients/bin/python -m pip install --quiet --disable-pip-version-check \
        --require-hashes --requirement "$lock"; then
        printf '%s\n' "$now" >"$stamp"
    else
        say "pip could not install them (the reason is above): their tests are skipped"
    fi
}
