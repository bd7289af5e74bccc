#!/usr/bin/env bash
# Makes an image for a board's card from Debian's packages, Node and this program: boot partition (FAT), root (never
# written to), data. Nothing is mounted and nothing of the board is run.
#
#   npm run image -- --board raspberry-pi-4 --output gateway.img
set -euo pipefail
export LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

readonly EXIT_USAGE=64 EXIT_DATA=65 EXIT_UNAVAILABLE=69 EXIT_REFUSED=77
readonly PARTS=(mmdebstrap aarch64-linux-gnu-g++ mcopy mkfs.fat mke2fs sfdisk debugfs cpio zstd xz dtc depmod systemctl openssl)

usage() {
  cat <<'TEXT'
usage: image.sh --board NAME [--base FILE] [--output FILE] [--sign-key KEY] [--compress]

  --board NAME       a folder of board/
  --base FILE        an image of Raspberry Pi OS Lite, 64 bit: its kernel, drivers and firmware in place of Debian's
  --output FILE      default sallyport-NAME.img; FILE.parts lists Debian's packages in it, and its Node
  --sign-key KEY     signs FILE.sha256 (Ed25519), for flash.sh --public-key
  --compress         also writes FILE.zst
  --help

Needs root, and Debian's packages; where it may install them it does. What was fetched or compiled is kept in
~/.cache/sallyport-image. exit code   0 made, 64 usage, 65 something does not fit, 69 something cannot be had, 77 not root
TEXT
}

fail() {
  echo "image: $2" >&2
  exit "$1"
}

say() { printf 'image: %s\n' "$*"; }

# From the work folder into the cache, whole or not at all.
keep() {
  local new=$2.$$
  cp -R "$1" "$new"
  # Another run may have been quicker.
  mv -T "$new" "$2" 2>/dev/null || rm -rf "$new"
}

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sallyport-image
board='' base='' output='' sign_key='' compress=no
# shellcheck source=scripts/image-programs.sh
. "$here/image-programs.sh"
# shellcheck source=scripts/image-root.sh
. "$here/image-root.sh"
# shellcheck source=scripts/image-base.sh
. "$here/image-base.sh"
# shellcheck source=scripts/image-disk.sh
. "$here/image-disk.sh"

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --board | --base | --output | --sign-key)
        [ $# -ge 2 ] || fail "$EXIT_USAGE" "$1 needs a value"
        printf -v "$(tr - _ <<<"${1#--}")" %s "$2"
        shift 2
        ;;
      --compress) compress=yes && shift ;;
      --help) usage && exit 0 ;;
      *) fail "$EXIT_USAGE" "there is no option $1; --help lists them" ;;
    esac
  done
  [ -n "$board" ] || fail "$EXIT_USAGE" "--board is needed"
  output=${output:-sallyport-$board.img}
}

# Sets board_kernel, board_tree and so on.
read_board() {
  local facts
  facts=$(node "$here/board-facts.mjs" "$board") || exit "$EXIT_USAGE"
  eval "$facts"
  # shellcheck disable=SC2154
  if [ -n "$base" ]; then
    [ -f "$base" ] || fail "$EXIT_DATA" "there is no image $base"
    starts_by raspberry-pi || fail "$EXIT_DATA" "$board is no Raspberry Pi, and --base is for these"
  elif [ "$board_kernel" != debian ]; then
    fail "$EXIT_DATA" "$board is driven by its maker's kernel only: give an image of it by --base"
  fi
}

# shellcheck disable=SC2154
starts_by() {
  [[ " $board_firmware " == *" $1 "* ]]
}

finish() {
  cp "$work/parts" "$output.parts"
  (cd "$(dirname "$output")" && sha256sum "$(basename "$output")") >"$output.sha256"
  if [ -n "$sign_key" ]; then
    openssl pkeyutl -sign -rawin -inkey "$sign_key" -in "$output.sha256" -out "$output.sha256.sig" ||
      fail "$EXIT_DATA" "$sign_key cannot sign"
  fi
  say "$output: $(($(stat --format=%s "$output") / 1000000)) MB, of which root $(($(stat --format=%s "$work/root.img") / 1000000)) MB"
  [ "$compress" = no ] || {
    zstd --quiet --force -10 --threads=0 "$output" -o "$output.zst"
    say "$output.zst: $(($(stat --format=%s "$output.zst") / 1000000)) MB"
  }
}

main() {
  parse "$@"
  read_board
  [ "$(id -u)" -eq 0 ] || fail "$EXIT_REFUSED" "files of the image belong to root; use sudo"
  bash "$here/parts.sh" "${PARTS[@]}" >/dev/null
  mkdir -p "$cache"
  work=$(mktemp --directory --tmpdir="$cache" work.XXXXXX)
  trap 'kill "${compiler:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
  version=$(git -C "$root" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
  name_addons
  # A compiler and a download do not wait for each other.
  make_addons &
  compiler=$!
  make_node
  unpack_debian
  wait "$compiler"
  make_program "$work/program"
  set_kernel_aside
  make_root
  make_fat
  make_root_file_system
  make_data_file_system
  join_disk "$output"
  finish
}

main "$@"
