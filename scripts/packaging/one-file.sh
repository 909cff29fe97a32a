#!/bin/sh
# coursefs in one file.  The first start unpacks it into the cache folder of the user, later ones start what is there.
set -eu
name=@NAME@-@HASH@ python=@PYTHON@
self=$(readlink -f -- "$0")
if [ "$(id -u)" = 0 ]; then
    cache=/var/cache/coursefs-program # not in a home that `sudo` may have kept: another user can write there
else
    case ${XDG_CACHE_HOME-} in
    /*) cache=$XDG_CACHE_HOME/coursefs-program ;;
    *) cache=${HOME:?is not set, so there is no place to unpack coursefs to}/.cache/coursefs-program ;;
    esac
fi
program=$cache/$name
if [ ! -e "$program" ]; then
    umask 077
    mkdir -p "$cache"
    scratch=$(mktemp -d "$cache/unpacking.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    line=$(($(grep -an -m 1 '^# end of the script$' "$self" | cut -d : -f 1) + 1))
    tail -n "+$line" "$self" | gzip -dc | tar -xf - -C "$scratch"
    mv -T "$scratch/@NAME@" "$program" 2>/dev/null || [ -e "$program" ] # another start may have been quicker
    rm -rf "$scratch"
    trap - EXIT INT TERM
fi
if [ ! -O "$program" ]; then
    echo "coursefs: $program belongs to another user; remove it, or set XDG_CACHE_HOME" >&2
    exit 1
fi
module=coursefs
case ${0##*/} in mount.*) module=coursefs.cli.mount_helper ;; esac
exec "$program/python/bin/$python" -I -X coursefs-program="$self" -m "$module" "$@"
# end of the script
