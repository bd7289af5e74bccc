#!/usr/bin/env bash
# Makes what is given out: the bundle for this machine's architecture, and for that of boards where one is named; images
# of boards; a bill of materials of each. All get a checksum, and the checksum an Ed25519 signature, as flash.sh verifies
# them. But for what an image needs, nothing is fetched that npm ci did not.
#
#   npm run release -- --sign-key maker.key --board raspberry-pi-4
set -euo pipefail

readonly EXIT_USAGE=64 EXIT_DATA=65

usage() {
  cat <<'TEXT'
usage: release.sh --sign-key KEY [--board NAME]... [--file FILE]... [--output DIR] [--no-bundle]

  --sign-key KEY   an Ed25519 key in PEM form: openssl genpkey -algorithm ed25519
  --board NAME     also an image for this board, by image.sh, which needs root, and a bundle for its architecture
  --file FILE      also this file, as it is
  --output DIR     default dist/release
  --no-bundle      no bundle
  --help

Whoever gets FILE checks it with FILE.sha256 and FILE.sha256.sig beside it:
  sha256sum --check FILE.sha256
  openssl pkeyutl -verify -pubin -inkey maker.pub -rawin -in FILE.sha256 -sigfile FILE.sha256.sig

exit code   0 made, 64 usage, 65 something does not fit
TEXT
}

fail() {
  echo "release: $2" >&2
  exit "$1"
}

say() { printf 'release: %s\n' "$*"; }

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck disable=SC2034 # what image-programs.sh goes by
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sallyport-image
# shellcheck source=scripts/image-programs.sh
. "$root/scripts/image-programs.sh"
sign_key='' output=$root/dist/release bundle=yes
boards=() files=() made=() version='' name='' program=''
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --help) usage && exit 0 ;;
      --no-bundle) bundle=no && shift ;;
      --sign-key | --board | --file | --output)
        [ $# -ge 2 ] || fail "$EXIT_USAGE" "$1 wants a value"
        case $1 in
          --sign-key) sign_key=$2 ;;
          --board) boards+=("$2") ;;
          --file) files+=("$2") ;;
          --output) output=$2 ;;
        esac
        shift 2
        ;;
      *) fail "$EXIT_USAGE" "$1 is not known; --help tells what is" ;;
    esac
  done
  [ -n "$sign_key" ] || fail "$EXIT_USAGE" "give --sign-key: what nobody signed cannot be told from a foreign one"
  openssl pkey -in "$sign_key" -noout -text 2>/dev/null | grep -qi ed25519 || fail "$EXIT_DATA" "$sign_key is no Ed25519 key"
}

# The program with the packages beside it, without machine code: what is the same everywhere. Sets `program`.
make_common() {
  version=$(node -p 'require(process.argv[1]).version' "$root/package.json")
  program=$work/program
  mkdir "$program"
  node "$root/scripts/build.mjs" "$program/dist" "$work/metafile" >"$work/build.log" 2>&1 || {
    tail -n 20 "$work/build.log" >&2
    fail "$EXIT_DATA" "the program cannot be bundled, see above"
  }
  node "$root/scripts/image-packages.mjs" "$program/node_modules"
  cp "$root"/{package.json,package-lock.json,LICENSE,README.md} "$program/"
}

# Machine code runs on one architecture, and on one version of Node.
name_bundle() { name=sallyport-$version-linux-$1-node$2; }

# With the machine code that npm ci has here.
make_bundle() {
  local architecture
  architecture=$(node -p process.arch)
  name_bundle "$architecture" "$(node -p 'process.versions.node.split(".")[0]')"
  cp -R "$program" "$work/$name"
  (cd "$root/node_modules" && find better-sqlite3 epoll @serialport -name '*.node' ! -path '*/obj.target/*' \
    \( -path '*/build/Release/*' -o -path "*/prebuilds/linux-$architecture/*" \) ! -name 'test_*' \
    -exec cp --parents -t "$work/$name/node_modules" {} +)
  pack_bundle
  make_bill "sallyport-$version"
}

# With the machine code that image.sh compiled for boards.
make_board_bundle() {
  name_bundle arm64 "${NODE_VERSION%%.*}"
  # On such a machine it was made above.
  [ ! -e "$work/$name" ] || return 0
  cp -R "$program" "$work/$name"
  name_addons
  # shellcheck disable=SC2154 # set by name_addons
  [ -e "$addons" ] || fail "$EXIT_DATA" "image.sh left no machine code in $addons"
  add_addons "$work/$name/node_modules"
  pack_bundle
}

# The same input gives the same bytes: names in order, and the time of the last change that was put on record.
pack_bundle() {
  tar --create --gzip --directory "$work" --sort=name --owner=0 --group=0 --numeric-owner \
    --mtime="@$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)" --file "$output/$name.tar.gz" "$name"
  made+=("$output/$name.tar.gz")
}

# What is in it, for whoever asks whether a fault that became known is in there: NAME [PARTS].
make_bill() {
  node "$root/scripts/sbom.mjs" "$work/metafile" "$program/node_modules" "${@:2}" >"$output/$1.cdx.json"
  made+=("$output/$1.cdx.json")
}

make_image() {
  local name=sallyport-$1
  bash "$root/scripts/image.sh" --board "$1" --output "$output/$name.img"
  made+=("$output/$name.img")
  make_bill "$name" "$output/$name.img.parts"
  rm "$output/$name.img.parts"
}

sign() {
  local file=$1
  (cd "$(dirname "$file")" && sha256sum "$(basename "$file")") >"$file.sha256"
  openssl pkeyutl -sign -rawin -inkey "$sign_key" -in "$file.sha256" -out "$file.sha256.sig" ||
    fail "$EXIT_DATA" "$sign_key cannot sign"
  say "$(cat "$file.sha256")"
}

arguments "$@"
mkdir -p "$output"
output=$(cd "$output" && pwd)
if [ "$bundle" = yes ] || [ ${#boards[@]} -gt 0 ]; then make_common; fi
[ "$bundle" = no ] || make_bundle
for board in ${boards[@]+"${boards[@]}"}; do make_image "$board"; done
if [ "$bundle" = yes ] && [ ${#boards[@]} -gt 0 ]; then make_board_bundle; fi
for file in ${files[@]+"${files[@]}"}; do
  [ -f "$file" ] || fail "$EXIT_DATA" "there is no file $file"
  [ "$(realpath "$file")" = "$output/$(basename "$file")" ] || cp "$file" "$output/"
  made+=("$output/$(basename "$file")")
done
[ ${#made[@]} -gt 0 ] || fail "$EXIT_USAGE" "nothing is to be made; --help tells how"
for file in "${made[@]}"; do sign "$file"; done
openssl pkey -in "$sign_key" -pubout -out "$output/sallyport.pub"
say "all of it lies in $output, with sallyport.pub, which must reach whoever checks by another way"
