#!/usr/bin/env bash
# Writes an image and a site to a card. It refuses whatever could be the wrong disk, or a card that still holds data,
# asks before it erases, reads back what it wrote, and keeps no key on this machine.
#
#   scripts/flash.sh --image gateway.img --public-key maker.pub --site site/ --device /dev/sdX
#   scripts/flash.sh --fleet fleet.csv --template site/ --image … --device /dev/sdX        see fleet.sh
set -euo pipefail
export LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

readonly EXIT_USAGE=64 EXIT_DATA=65 EXIT_UNAVAILABLE=69 EXIT_IO=74 EXIT_REFUSED=77
readonly SECTOR=512 BLOCK=4M
# What first boot reads on the FAT partition, and where the data partition keeps what is the gateway's own.
readonly SITE_FOLDER=site STATE_FOLDER=sallyport
# What a site may bring along; on the card it lies in the data partition, never on the FAT.
readonly OWN_KEY=tls/gateway.key OWN_CERTIFICATE=tls/gateway.pem
# For names of files: everything else goes by bytes.
readonly NAMES_LOCALE=C.UTF-8
# No site is larger: its files are text.
readonly SITE_MAX_KB=4096
# Where an ext file system says that it is one.
readonly EXT_MAGIC_AT=1080 EXT_MAGIC=53ef

usage() {
  cat <<'TEXT'
usage: flash.sh --image FILE --site DIR --device DISK [options]
       flash.sh --fleet TABLE --template DIR --image FILE --device DISK [options]

Erases DISK (or a file) and writes the image and the site to it; of a fleet, a
card for each row of a table with commas, whose first line names its columns.

  --public-key FILE    FILE.sha256.sig of the image must be signed with it (Ed25519)
  --unsigned           take an image that nobody signed
  --key-on-board       the board makes its own key; its request lies on the card after first boot
  --sign-command CMD   gets a certificate request on its input and prints the certificate
  --replace OLD        the card, or its image, of a gateway that DISK takes over from: outbox, state, keys
  --erase-outbox       the card's outbox may be erased, whatever no broker has of it
  --fixed-disk NAME    DISK is no removable medium, and NAME (sdb, nvme0n1, loop3) is meant
  --yes                do not ask
  --fleet TABLE        one column is name, and "result" tells what was written
  --template DIR       a site in whose files ${column} stands for a row's value
  --only NAME          of a fleet: this row alone, also when it was written
  --help

exit code   0 written, 64 usage, 65 image or site wrong, 69 a program is missing,
            74 what was read back differs, 77 refused
The image is to be a plain one (not compressed) with three partitions: FAT, root, data.
TEXT
}

fail() {
  echo "flash: $2" >&2
  exit "$1"
}

refuse() { fail "$EXIT_REFUSED" "$1. Nothing was written."; }
say() { echo "flash: $*"; }

image='' site='' device='' public_key='' sign_command='' fixed_disk='' replace='' unsigned=no key_on_board=no erase_outbox=no yes=no speed=''

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --image | --site | --device | --public-key | --sign-command | --fixed-disk | --replace)
        [ $# -ge 2 ] || fail "$EXIT_USAGE" "$1 needs a value"
        printf -v "$(tr - _ <<<"${1#--}")" %s "$2"
        shift 2
        ;;
      --unsigned | --key-on-board | --erase-outbox | --yes)
        printf -v "$(tr - _ <<<"${1#--}")" yes
        shift
        ;;
      --help) usage && exit 0 ;;
      *) fail "$EXIT_USAGE" "there is no option $1; --help lists them" ;;
    esac
  done
  if [ -z "$image" ] || [ -z "$site" ] || [ -z "$device" ]; then
    fail "$EXIT_USAGE" "--image, --site and --device are needed"
  fi
  if [ "$key_on_board" = yes ] && [ -n "$sign_command" ]; then
    fail "$EXIT_USAGE" "--sign-command signs a key made here; with --key-on-board there is none"
  fi
  if [ -n "$replace" ] && [ "$key_on_board$sign_command" != no ]; then
    fail "$EXIT_USAGE" "with --replace the key of the old card is kept"
  fi
}

need_programs() {
  local program missing=()
  for program in dd sha256sum sfdisk mcopy mmd debugfs openssl blockdev losetup perl; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  [ ${#missing[@]} -eq 0 ] || fail "$EXIT_UNAVAILABLE" "missing: ${missing[*]}. On Debian and Ubuntu:
  sudo apt-get install coreutils fdisk mtools e2fsprogs openssl util-linux perl-base"
}

# ── what is to be written ──────────────────────────────────────────────────────────────────────────────────────────

# Start of a partition in bytes; nothing where there is none. Read from the table: the kernel needs no node for it.
start_of() {
  local sectors
  sectors=$(sfdisk --dump "$1" 2>/dev/null | sed -nE "s/^.*[^0-9]$2 : start= *([0-9]+),.*/\1/p")
  [ -z "$sectors" ] || echo $((sectors * SECTOR))
}

size_of() {
  local sectors
  sectors=$(sfdisk --dump "$1" 2>/dev/null | sed -nE "s/^.*[^0-9]$2 : .*size= *([0-9]+),.*/\1/p")
  [ -z "$sectors" ] || echo $((sectors * SECTOR))
}

check_image() {
  [ -f "$image" ] || fail "$EXIT_DATA" "there is no image $image"
  image_bytes=$(stat --dereference --format=%s "$image")
  fat_at=$(start_of "$image" 1) root_at=$(start_of "$image" 2) data_at=$(start_of "$image" 3)
  if [ -z "$fat_at" ] || [ -z "$root_at" ] || [ -z "$data_at" ]; then
    fail "$EXIT_DATA" "$image has no three partitions"
  fi
  say "reading $image"
  image_sum=$(sha256sum <"$image" | cut -d' ' -f1)
  if [ -n "$public_key" ]; then
    check_signature
  elif [ "$unsigned" = no ]; then
    fail "$EXIT_DATA" "give --public-key, so that a foreign image is not taken for ours, or --unsigned"
  fi
}

# The checksum is what is signed: no program here can sign gigabytes with Ed25519.
check_signature() {
  local told
  openssl pkeyutl -verify -pubin -inkey "$public_key" -rawin -in "$image.sha256" -sigfile "$image.sha256.sig" \
    >/dev/null 2>&1 || fail "$EXIT_DATA" "the signature of $image.sha256 is missing or not by $public_key"
  told=$(cut -d' ' -f1 <"$image.sha256")
  [ "$told" = "$image_sum" ] || fail "$EXIT_DATA" "$image is not what was signed"
}

# site.yaml without what editors on Windows add.
site_lines() { sed -e '1s/^\xef\xbb\xbf//' -e 's/\r$//' "$site/site.yaml"; }

# Of a key at the beginning of a line whose value is a name.
site_name() { site_lines | sed -nE "s/^$1: *[\"']?([A-Za-z0-9-]+).*/\1/p" | head -n 1; }

check_site() {
  local file
  for file in site.yaml gateway.yaml; do
    [ -f "$site/$file" ] || fail "$EXIT_DATA" "$site has no $file"
  done
  [ "$(du -skL "$site" | cut -f1)" -le "$SITE_MAX_KB" ] || fail "$EXIT_DATA" "$site is larger than $SITE_MAX_KB kB"
  check_names
  hostname=$(site_name hostname)
  [ -n "$hostname" ] || fail "$EXIT_DATA" "$site/site.yaml has no hostname"
  check_board
  if [ -n "${SALLYPORT:-}" ] || command -v sallyport >/dev/null; then
    # shellcheck disable=SC2086 # a command with its arguments
    ${SALLYPORT:-sallyport} check --without-key "$site" >/dev/null || fail "$EXIT_DATA" "mend $site first"
  else
    say "NOT CHECKED: there is no sallyport on this machine to check $site with"
  fi
}

# Links are followed; what a FAT cannot hold is found before the card is erased.
check_names() {
  local odd
  odd=$(find -L "$site" -mindepth 1 ! -type f ! -type d -print -quit) || fail "$EXIT_DATA" "$site leads back to itself"
  [ -z "$odd" ] || fail "$EXIT_DATA" "$odd is no file that can be copied"
  odd=$(find -L "$site" -mindepth 1 \( -name '*["*:<>?|\\]*' -o -name '*[. ]' -o -name '*[[:cntrl:]]*' \) -print -quit)
  [ -z "$odd" ] || fail "$EXIT_DATA" "a card cannot hold a file of the name $odd; give it another one"
  odd=$(find -L "$site" -mindepth 1 -printf '%P\n' | tr '[:upper:]' '[:lower:]' | sort | uniq -d | head -n 1)
  [ -z "$odd" ] || fail "$EXIT_DATA" "$site/$odd is there twice: a card tells no capitals from small letters"
}

# The image says in its root which board it was made for.
check_board() {
  local made wanted
  made=$(debugfs -R 'cat /etc/systemd/system/sallyport.service.d/board.conf' "$image?offset=$root_at" 2>/dev/null |
    sed -nE 's/^ExecStart=.* --board ([a-z0-9-]+).*/\1/p')
  wanted=$(site_name board)
  [ -z "$made" ] || [ "$made" = "$wanted" ] || fail "$EXIT_DATA" "$image is for the board $made, and $site/site.yaml says ${wanted:-none}"
}

# ── where it is to be written ──────────────────────────────────────────────────────────────────────────────────────

check_device() {
  if [ -f "$device" ]; then
    [ -z "$(losetup --associated "$device")" ] || refuse "$device is in use as a loop device"
    device_bytes=$(stat --dereference --format=%s "$device")
    name=$(basename "$device")
  else
    [ -b "$device" ] || refuse "$device is neither a disk nor a file"
    check_disk "$(basename "$(readlink --canonicalize "$device")")"
  fi
  if [ ! -r "$device" ] || [ ! -w "$device" ]; then refuse "this user may not write $device; use sudo"; fi
  is_free || refuse "this machine uses $device: a file system, RAID, LVM or ZFS that it knows of, or another program"
  [ "$device_bytes" -ge "$image_bytes" ] ||
    refuse "$device holds $((device_bytes / 1000000)) MB, and the image needs $((image_bytes / 1000000)) MB"
  [ "$(readlink --canonicalize "$image")" != "$(readlink --canonicalize "$device")" ] || refuse "$device is the image"
  check_outbox
}

# The old card is only read, but it must be all there, and nobody may write it meanwhile.
check_old() {
  local old_name
  [ -n "$replace" ] || return 0
  [ -f "$replace" ] || [ -b "$replace" ] || refuse "there is no card or image $replace"
  old_name=$(basename "$(readlink --canonicalize "$replace")")
  [ "$(readlink --canonicalize "$device")" != "$(readlink --canonicalize "$replace")" ] ||
    refuse "$replace is the card that is to be erased"
  [ -f "$replace" ] || check_all_idle "/sys/class/block/$old_name"
  old_at=$(start_of "$replace" 3) old_bytes=$(size_of "$replace" 3)
  if [ -f "$replace" ] && [ "$(stat --dereference --format=%s "$replace")" -lt $((${old_at:-0} + ${old_bytes:-0})) ]; then
    refuse "$replace ends before its data partition does: the copy of the old card is not whole"
  fi
  debugfs -R "stat /$STATE_FOLDER" "$replace?offset=${old_at:-0}" 2>/dev/null | grep -q 'Type: directory' ||
    refuse "$replace holds no gateway's data, or they cannot be read"
  [ "$device_bytes" -ge $((data_at + old_bytes)) ] ||
    refuse "$device holds $((device_bytes / 1000000)) MB, and with the old data it needs $(((data_at + old_bytes) / 1000000)) MB"
}

check_all_idle() {
  local node
  for node in "$1" "$1/${1##*/}"*; do
    [ ! -e "$node/dev" ] || check_idle "$node"
  done
}

check_disk() {
  local sys=/sys/class/block/$1
  name=$1
  [ ! -e "$sys/partition" ] || refuse "$device is a partition; name the whole disk"
  check_all_idle "$sys"
  if [ "$name" != "$fixed_disk" ] && ! is_removable "$sys"; then
    refuse "$device is no removable medium; if it is meant, say --fixed-disk $name"
  fi
  device_bytes=$(blockdev --getsize64 "$device")
  [ "$device_bytes" -gt 0 ] || refuse "there is no card in $device"
}

# The kernel's own word: it also knows what is mounted where this process cannot see it, and file systems over several disks.
is_free() {
  [ ! -b "$device" ] || perl -MFcntl -e 'exit !sysopen(my $disk, shift, O_RDWR | O_EXCL)' "$device"
}

# A card in a built-in reader, or a module in USB boot mode, does not call itself removable.
is_removable() {
  [ "$(cat "$1/removable")" = 1 ] || [[ $(readlink --canonicalize "$1") =~ /(usb|mmc)[0-9_-] ]]
}

# A disk, or a partition of it: nobody uses it.
check_idle() {
  local at node=/dev/${1##*/}
  while read -r at; do
    case $at in
      / | /boot* | /usr* | /var* | /home*) refuse "$node is part of this machine's system, at $at" ;;
      *) refuse "$node is mounted at $at; unmount it" ;;
    esac
  done < <(awk -v dev="$(cat "$1/dev")" '$3 == dev { print $5 }' /proc/self/mountinfo)
  ! grep -q "^${node}[[:space:]]" /proc/swaps || refuse "$node is this machine's swap"
  [ -z "$(ls "$1/holders" 2>/dev/null)" ] || refuse "$node is part of another disk (RAID, LVM or encryption)"
}

# What a gateway that ran has left may hold what no broker has. Nothing on a laptop can tell, so all of it counts.
check_outbox() {
  local number at
  [ "$erase_outbox" = no ] || return 0
  # Without a table there may be a file system on the whole of it.
  check_file_system 0
  for number in 1 2 3 4; do
    at=$(start_of "$device" "$number")
    [ -z "$at" ] || check_file_system "$at"
  done
}

check_file_system() {
  local magic folder found at=$1
  magic=$(dd if="$device" bs=1 skip=$((at + EXT_MAGIC_AT)) count=2 status=none | od -An -tx1 | tr -d ' \n')
  [ "$magic" = "$EXT_MAGIC" ] || return 0
  debugfs -R 'stat /' "$device?offset=$at" 2>/dev/null | grep -q 'Type: directory' ||
    refuse "a partition of $device cannot be read; if it may be lost, say --erase-outbox"
  for folder in "/$STATE_FOLDER" "/var/lib/$STATE_FOLDER"; do
    found=$(debugfs -R "ls -p $folder" "$device?offset=$at" 2>/dev/null |
      awk -F/ '$6 != "" && $6 !~ /^([.][.]?|tls)$/' | wc -l)
    [ "$found" -eq 0 ] || refuse "$device holds the outbox of a gateway, and no broker may have what is in it. Let that
  gateway deliver it, save it (sallyport export), or take it over (--replace); if it may be lost, say --erase-outbox"
  done
  # What was written last is in its journal alone, where debugfs does not look: so may be all of an outbox.
  ! debugfs -R features "$device?offset=$at" 2>/dev/null | grep -qw needs_recovery ||
    refuse "a partition of $device was cut off while it was written, and may hold the outbox of a gateway. Boot it
  again, or take it over (--replace); if it may be lost, say --erase-outbox"
}

confirm() {
  local answer=''
  say "this erases $device: $((device_bytes / 1000000)) MB $(cat "/sys/class/block/$name/device/model" 2>/dev/null || true)"
  sfdisk --list "$device" 2>/dev/null | grep "^$device" | sed 's/^/         /' || true
  say "and writes $image and $site ($hostname)"
  [ -z "$replace" ] || say "with outbox, state and keys of $replace"
  [ "$yes" = no ] || return 0
  printf 'flash: type %s to go on: ' "$name"
  read -r answer || true
  [ "$answer" = "$name" ] || refuse "$name was not typed"
}

# ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────────

now_us() { echo "${EPOCHREALTIME/[.,]/}"; }

# How long each GB (10^9 bytes) took since a moment.
per_gb() {
  local tenths=$((($(now_us) - $1) * 10000 / image_bytes))
  printf '%d.%d s per GB' $((tenths / 10)) $((tenths % 10))
}

write_image() {
  local began
  say "writing"
  began=$(now_us)
  dd if="$image" of="$device" bs="$BLOCK" conv=notrunc,fsync status=progress || fail "$EXIT_IO" "writing failed"
  speed="writing took $(per_gb "$began")"
  say "reading back"
  began=$(now_us)
  [ ! -b "$device" ] || blockdev --flushbufs "$device"
  [ "$(head --bytes="$image_bytes" "$device" | sha256sum | cut -d' ' -f1)" = "$image_sum" ] ||
    fail "$EXIT_IO" "what was read back differs: the card is bad, or smaller than it says. Take another one"
  speed+=", reading back $(per_gb "$began")"
}

# Nobody else on this machine may see a key, and it never reaches a disk.
make_workspace() {
  umask 077
  work=$(mktemp --directory --tmpdir="$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")" flash.XXXXXX)
  trap 'rm -rf "$work"' EXIT
}

keep_identity() {
  local old
  old=$(mtype -i "$replace@@$(start_of "$replace" 1)" "::$SITE_FOLDER/serial" 2>/dev/null || true)
  [[ ! $old =~ ^[0-9a-f]{8}$ ]] || serial=$old
  fingerprint=$(debugfs -R "cat /$STATE_FOLDER/tls/gateway.key" "$replace?offset=$old_at" 2>/dev/null |
    openssl pkey -pubout -outform DER 2>/dev/null | sha256sum | cut -d' ' -f1) || fingerprint="as on the old card"
}

check_certificate() {
  [ "$(openssl x509 -in "$work/gateway.pem" -noout -pubkey 2>/dev/null | openssl pkey -pubin -outform DER 2>/dev/null |
    sha256sum | cut -d' ' -f1)" = "$fingerprint" ] || fail "$EXIT_DATA" "the certificate is not for this key"
}

# The site brings its own.
take_identity() {
  cp "$site/$OWN_KEY" "$work/gateway.key"
  [ -z "$sign_command" ] || fail "$EXIT_DATA" "$site has a key already, and --sign-command signs a new one"
  fingerprint=$(openssl pkey -in "$work/gateway.key" -pubout -outform DER 2>/dev/null | sha256sum | cut -d' ' -f1) ||
    fail "$EXIT_DATA" "$site/$OWN_KEY is no private key"
  if [ -f "$site/$OWN_CERTIFICATE" ]; then
    cp "$site/$OWN_CERTIFICATE" "$work/gateway.pem"
    check_certificate
  fi
}

make_identity() {
  serial=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
  fingerprint="made on the board"
  [ -z "$replace" ] || keep_identity
  [ -z "$replace" ] || return 0
  if [ "$key_on_board" = yes ]; then
    [ ! -f "$site/$OWN_KEY" ] || fail "$EXIT_DATA" "$site has a key already, and with --key-on-board the board makes one"
  fi
  # It would take the place of the new key's.
  if [ -f "$site/$OWN_CERTIFICATE" ] && [ ! -f "$site/$OWN_KEY" ]; then
    fail "$EXIT_DATA" "$site has a certificate without its key, and a new key gets a new one: take $OWN_CERTIFICATE out"
  fi
  [ "$key_on_board" = no ] || return 0
  if [ -f "$site/$OWN_KEY" ]; then
    take_identity
    return 0
  fi
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/gateway.key" 2>/dev/null ||
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/gateway.key" 2>/dev/null
  openssl req -new -key "$work/gateway.key" -subj "/CN=$hostname/serialNumber=$serial" -out "$work/gateway.csr"
  fingerprint=$(openssl pkey -in "$work/gateway.key" -pubout -outform DER | sha256sum | cut -d' ' -f1)
  [ -n "$sign_command" ] || return 0
  bash -c "$sign_command" <"$work/gateway.csr" >"$work/gateway.pem" || fail "$EXIT_DATA" "the sign command failed"
  check_certificate
}

# mtools ask each disk for heads and tracks, and complain of most; what they say counts where they fail.
on_fat() {
  local wrong=$1
  shift
  LC_ALL=$NAMES_LOCALE TZ=UTC MTOOLS_SKIP_CHECK=1 "$@" 2>"$work/said" ||
    fail "$EXIT_IO" "$wrong: $(sed 's/Could not get geometry of device ([^)]*)//' "$work/said")"
}

write_site() {
  local fat="$device@@$fat_at"
  mkdir "$work/$SITE_FOLDER"
  cp -RL "$site/." "$work/$SITE_FOLDER/"
  rm -f "$work/$SITE_FOLDER/$OWN_KEY"
  date --utc +%Y-%m-%dT%H:%M:%SZ >"$work/$SITE_FOLDER/flashed"
  echo "$serial" >"$work/$SITE_FOLDER/serial"
  if [ "$key_on_board" = yes ]; then echo "$hostname" >"$work/$SITE_FOLDER/key-on-board"; fi
  # A request that was not signed here is fetched from the card.
  if [ -e "$work/gateway.csr" ] && [ ! -e "$work/gateway.pem" ]; then
    cp "$work/gateway.csr" "$work/$SITE_FOLDER/gateway.csr"
  fi
  mdeltree -i "$fat" "::$SITE_FOLDER" 2>/dev/null || true
  on_fat "the site could not be written" mcopy -Q -s -i "$fat" "$work/$SITE_FOLDER" ::
  mkdir "$work/back"
  on_fat "the site could not be read back" mcopy -Q -s -n -i "$fat" "::$SITE_FOLDER" "$work/back/"
  diff -r "$work/$SITE_FOLDER" "$work/back/$SITE_FOLDER" >/dev/null || fail "$EXIT_IO" "the site was read back differently"
}

# The old data partition as it is, with its journal: what was cut off is put right when the board mounts it.
write_old_data() {
  [ -n "$replace" ] || return 0
  say "carrying over"
  if [ "$old_bytes" -gt "$(size_of "$device" 3)" ]; then
    echo ", $((old_bytes / SECTOR))" | sfdisk --quiet --no-reread --no-tell-kernel --force -N 3 "$device" ||
      fail "$EXIT_IO" "the data partition could not be made large enough"
  fi
  dd if="$replace" iflag=skip_bytes,count_bytes skip="$old_at" count="$old_bytes" \
    of="$device" oflag=seek_bytes seek="$data_at" bs="$BLOCK" conv=notrunc,fsync status=progress ||
    fail "$EXIT_IO" "the old data could not be copied"
  [ ! -b "$device" ] || blockdev --flushbufs "$device"
  cmp --bytes="$old_bytes" --ignore-initial="$old_at:$data_at" "$replace" "$device" >/dev/null ||
    fail "$EXIT_IO" "the old data were read back differently"
}

# Straight into the file system: no mount, no copy on this machine.
write_key() {
  local data="$device?offset=$data_at" file owner
  [ -e "$work/gateway.key" ] || return 0
  owner=$(debugfs -R 'cat /etc/passwd' "$device?offset=$root_at" 2>/dev/null | awk -F: '$1 == "sallyport" { print $3, $4 }')
  {
    echo "mkdir /$STATE_FOLDER"
    echo "mkdir /$STATE_FOLDER/tls"
    for file in gateway.key gateway.pem; do
      [ -e "$work/$file" ] || continue
      echo "rm /$STATE_FOLDER/tls/$file"
      echo "write $work/$file /$STATE_FOLDER/tls/$file"
      echo "sif /$STATE_FOLDER/tls/$file mode 0100600"
      echo "sif /$STATE_FOLDER/tls/$file uid ${owner%% *}"
      echo "sif /$STATE_FOLDER/tls/$file gid ${owner##* }"
    done
  } >"$work/commands"
  [ -n "$owner" ] || sed -i '/ [ug]id /d' "$work/commands"
  debugfs -w -f "$work/commands" "$data" >/dev/null 2>&1 || fail "$EXIT_IO" "the key could not be written"
  for file in gateway.key gateway.pem; do
    [ -e "$work/$file" ] || continue
    debugfs -R "cat /$STATE_FOLDER/tls/$file" "$data" 2>/dev/null | cmp -s - "$work/$file" ||
      fail "$EXIT_IO" "$file was read back differently"
  done
}

label() {
  local password='none: nobody can log in' file
  if site_lines | grep -q '^console:'; then
    file=$(site_lines | sed -nE "/^console:/,/^[a-z]/{s/.*passwordFile: *(\"([^\"]*)\"|'([^']*)'|([^\"'},#]*[^\"'},# ])).*/\2\3\4/p}" | head -n 1)
    password="as in ${file:-site.yaml}"
    if [ -f "$site/$file" ]; then password=$(sed -e '1s/^\xef\xbb\xbf//' -e 's/\r$//' -e q "$site/$file"); fi
  fi
  cat <<TEXT

  ┌─────────────────────────────────────────────
  │ name         $hostname
  │ serial       $serial
  │ fingerprint  $fingerprint
  │ console      $password
  └─────────────────────────────────────────────
TEXT
}

main() {
  case " $* " in
    *' --fleet '*) exec "$(dirname "$0")/fleet.sh" "$@" ;;
  esac
  parse "$@"
  need_programs
  check_image
  check_site
  check_device
  check_old
  confirm
  make_workspace
  # Before the card is erased: a command that fails must cost nothing.
  make_identity
  write_image
  write_old_data
  write_site
  write_key
  sync "$device"
  say "$speed"
  label
  [ -z "$replace" ] || say "never run the old card again: two gateways with one identity throw each other off"
  say "done: put the card into the board"
}

main "$@"
