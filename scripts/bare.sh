# Shared by the scripts that try something on bare systems: the releases, and how debootstrap makes a root of one.
# It is sourced after lib.sh; keyrings are fetched into the folder $scratch.
# shellcheck shell=bash disable=SC2154

scripts_of_debootstrap=/usr/share/debootstrap/scripts
# of a release that this debootstrap is too old to know: its distribution's releases are all made alike
declare -A general=([debian]=sid [ubuntu]=gutsy)
declare -A suites=([debian12]=bookworm [debian13]=trixie [ubuntu22.04]=jammy [ubuntu24.04]=noble)
# Ubuntu Archive Automatic Signing Key (2018), which signs every release since 18.04
ubuntu_key=F6ECB3762474EDA9D21B7022871920D1991BC93C

# Print the file with the keys of a distribution's archive; nothing where it cannot be had.
keyring_of() {
    local keyring=/usr/share/keyrings/$1-archive-keyring.gpg
    if [[ ! -r $keyring && $1 == ubuntu ]]; then
        keyring=$scratch/ubuntu.gpg
        [[ -s $keyring ]] || fetch_ubuntu_keyring "$keyring" || return 0
    fi
    [[ ! -r $keyring ]] || echo "$keyring"
}

# Take the keyring from Ubuntu's own package into the file $1: of its keys the one that is named above, so that it does
# not matter who brought the package.
fetch_ubuntu_keyring() {
    local folder=$scratch/keyring mirror path architecture
    architecture=$(dpkg --print-architecture)
    mirror=$(mirror_of_ubuntu "$architecture")
    have gpg || install_packages gpg
    mkdir -p "$folder/gnupg"
    chmod 700 "$folder/gnupg"
    quietly wget -nv -O "$folder/Packages.gz" "$mirror/dists/noble/main/binary-$architecture/Packages.gz" || return
    path=$(zcat "$folder/Packages.gz" |
        awk '$1 == "Package:" { name = $2 } name == "ubuntu-keyring" && $1 == "Filename:" { print $2 }')
    [[ $path ]] || return
    quietly wget -nv -O "$folder/keyring.deb" "$mirror/$path" || return
    dpkg-deb -x "$folder/keyring.deb" "$folder/there" || return
    gpg --homedir "$folder/gnupg" --no-default-keyring --quiet \
        --keyring "$folder/there/usr/share/keyrings/ubuntu-archive-keyring.gpg" --export "$ubuntu_key" >"$1"
    [[ -s $1 ]]
}

# Print the mirror of Ubuntu that debootstrap takes on this architecture, $1: its script begins with that.
# shellcheck disable=SC1090,SC2030,SC2034,SC2329  # all of it is for that script
mirror_of_ubuntu() (
    ARCH=$1 SUITE=noble
    default_mirror() { echo "$1"; }
    mirror_style() { exit; }
    source "$scripts_of_debootstrap/${general[ubuntu]}"
)

# Make the bare root of a release: $1; into $2, with the packages $3, which commas part.
make_root() {
    local distribution=${1%%[0-9]*} suite=${suites[$1]} keyring script components=main
    keyring=$(keyring_of "$distribution")
    if [[ ! $keyring ]]; then
        say "$1: the keys of its archive are missing (package $distribution-keyring or $distribution-archive-keyring)"
        return 1
    fi
    [[ $distribution != ubuntu ]] || components=main,universe # as every installation of Ubuntu has it
    script=$scripts_of_debootstrap/$suite
    [[ -e $script ]] || script=$scripts_of_debootstrap/${general[$distribution]}
    quietly debootstrap --variant=minbase --components="$components" --keyring="$keyring" ${3:+--include="$3"} \
        "$suite" "$2" '' "$script"
}
