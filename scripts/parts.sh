#!/usr/bin/env bash
# Makes sure of the programs and headers that the tests run against, and says which they are.
# What is missing comes from Debian where this user may install; else one line says what to type, and nothing runs.
#
#   scripts/parts.sh [part...]      without a part: all that `npm test` needs
set -euo pipefail

readonly TEST_PARTS=(mosquitto cc pkg-config libmodbus protoc socat script setpriv systemd-analyze sfdisk mkfs.fat mcopy debugfs openssl)
readonly SERVICES=(mosquitto rabbitmq-server collectd)
readonly APT_LOCK_WAIT_S=120
readonly EXIT_UNAVAILABLE=69
readonly POLICY=/usr/sbin/policy-rc.d

# Debian keeps daemons out of an ordinary user's path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

packages_of() {
  case $1 in
    cc) echo gcc libc6-dev ;;
    libmodbus) echo libmodbus-dev ;;
    # Its plugins' libraries are suggestions of the package only.
    collectd) echo collectd-core libmodbus5 libmosquitto1 ;;
    protoc) echo protobuf-compiler ;;
    # Its package only recommends what opens serial ports.
    python3-pymodbus) echo python3-pymodbus python3-serial-asyncio ;;
    script) echo bsdutils ;;
    sfdisk) echo fdisk ;;
    mkfs.fat) echo dosfstools ;;
    mcopy) echo mtools ;;
    debugfs | mke2fs) echo e2fsprogs ;;
    aarch64-linux-gnu-g++) echo crossbuild-essential-arm64 ;;
    dtc) echo device-tree-compiler ;;
    xz) echo xz-utils ;;
    depmod) echo kmod ;;
    qemu-system-aarch64) echo qemu-system-arm ;;
    setpriv | unshare) echo util-linux ;;
    ip | ss) echo iproute2 ;;
    systemd-nspawn) echo systemd-container ;;
    systemd-analyze | systemctl) echo systemd ;;
    *) echo "$1" ;;
  esac
}

# A compiler without headers, or a library without its .pc file, is not there.
present() {
  case $1 in
    cc) echo '#include <stdio.h>' | cc -xc -fsyntax-only - 2>/dev/null ;;
    libmodbus) pkg-config --exists libmodbus 2>/dev/null ;;
    python3-pymodbus) /usr/bin/python3 -c 'import pymodbus, serial_asyncio' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing_of() {
  local part
  for part in "$@"; do present "$part" || echo "$part"; done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }
}

# These packages start a service, now and at every boot. The tests start their own; those must not run.
forbid_services() {
  [ -e "$POLICY" ] && return
  trap 'as_root rm -f "$POLICY"' EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
  as_root chmod 755 "$POLICY"
}

switch_off_service() {
  local service=$1
  echo "parts: the $service package's own service is switched off; the tests start it themselves"
  if command -v systemctl >/dev/null; then as_root systemctl --quiet disable "$service.service" 2>/dev/null || true; fi
  if [ -d /run/systemd/system ]; then as_root systemctl --quiet stop "$service.service"; fi
  if command -v update-rc.d >/dev/null; then as_root update-rc.d "$service" disable >/dev/null 2>&1 || true; fi
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout="$APT_LOCK_WAIT_S" "$@"
}

install_parts() {
  local packages=$1 service missing_services
  missing_services=$(missing_of "${SERVICES[@]}")
  echo "parts: installing from Debian: ${packages% }"
  forbid_services
  # shellcheck disable=SC2086 # a list of names
  apt update && apt install --yes --no-install-recommends -o Dpkg::Use-Pty=0 $packages >/dev/null || return
  hash -r
  for service in $missing_services; do
    if command -v "$service" >/dev/null; then switch_off_service "$service"; fi
  done
}

give_up() {
  echo "parts: $1. Nothing was run. Install them with:" >&2
  echo "  sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${2% }" >&2
  exit "$EXIT_UNAVAILABLE"
}

make_sure() {
  local missing packages
  missing=$(missing_of "$@" | tr '\n' ' ')
  [ -z "$missing" ] && return
  packages=$(for part in $missing; do packages_of "$part"; done | tr '\n' ' ')
  may_install || give_up "missing: ${missing% }, and this user may not install packages" "$packages"
  install_parts "$packages" || give_up "installing failed: ${missing% }" "$packages"
  missing=$(missing_of "$@" | tr '\n' ' ')
  [ -z "$missing" ] || give_up "still missing after the installation: ${missing% }" "$packages"
}

version_of() {
  local package
  package=$(packages_of "$1")
  dpkg-query --show --showformat '${Version}' "${package%% *}" 2>/dev/null || echo "(not from Debian)"
}

main() {
  [ $# -gt 0 ] || set -- "${TEST_PARTS[@]}"
  make_sure "$@"
  local part
  for part in "$@"; do echo "parts: $part $(version_of "$part")"; done
}

main "$@"
