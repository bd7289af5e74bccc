# shellcheck shell=bash disable=SC2154 # what image.sh and the others set
# From files to a disk, without mounting anything: the first file system, the boot partition, root, data, the table.
# Sourced by image.sh.

readonly SECTOR=512 MIB=1048576
# All device trees of a kernel need more than a board with one.
readonly FAT_MIN_MIB=80 DATA_MIB=48 ALIGN_MIB=1
# mke2fs makes some files of its own.
readonly SPARE_FILES=64
# What debugfs of older laptops can write into.
readonly EXT4_FEATURES='^metadata_csum_seed,^orphan_file'
# A card of up to 512 GB: the file system grows while it is mounted.
readonly DATA_BLOCKS_MAX=134217728

make_initrd() {
  local initrd=$work/initrd name path
  mkdir -p "$initrd"/{proc,sys,dev,root,bin,modules}
  cp "$work/busybox" "$initrd/bin/busybox"
  install -m 755 "$here/image/init" "$initrd/init"
  # In the order in which they are needed: first what others need.
  while read -r name; do
    modprobe --set-version "$kernel_version" --dirname "$packages" --show-depends "$name" 2>/dev/null || true
  done < <(grep -v '^#' "$here/image/modules") | awk '/^insmod/ && !known[$2]++ { print $2 }' >"$work/modules"
  while read -r path; do
    name=$(basename "$path" .xz)
    xz --decompress --stdout "$path" >"$initrd/modules/$name"
    echo "$name" >>"$initrd/modules/order"
  done <"$work/modules"
  (cd "$initrd" && find . -print0 | LC_ALL=C sort -z | cpio --quiet --null --create --format=newc --owner=0:0) |
    zstd --quiet -10 >"$work/initrd.img"
}

# Sets `fat_mib`. The boot partition: what the board's firmware reads, and the folder that a technician fills.
make_fat() {
  local fat=$work/fat.img
  export MTOOLS_SKIP_CHECK=1 TZ=UTC
  mkdir -p "$work/boot/site"
  cp "$work/vmlinuz" "$work/initrd.img" "$work/boot/"
  printf '%s\n' "$(kernel_words)" >"$work/boot/cmdline.txt"
  if [ -n "$base" ]; then
    add_base
  else
    ! starts_by raspberry-pi || add_raspberry_pi
    ! starts_by u-boot || add_extlinux
    ! starts_by uefi || add_efi
  fi
  cp "$here/image/README.txt" "$work/boot/site/"
  fat_mib=$(($(du --summarize --block-size="$MIB" "$work/boot" | cut -f1) * 9 / 8 + 4))
  [ "$fat_mib" -gt "$FAT_MIN_MIB" ] || fat_mib=$FAT_MIN_MIB
  truncate --size="${fat_mib}M" "$fat"
  mkfs.fat -F 32 -n SALLYPORT "$fat" >/dev/null
  mcopy -Q -s -i "$fat" "$work/boot/"* ::
}

kernel_words() {
  local console=${board_console#/dev/}
  case $console in
    ttyAMA* | ttyS*) console=$console,115200 ;;
    '') console=tty1 ;;
  esac
  echo "console=$console ro quiet loglevel=4 panic=10 watchdog.stop_on_reboot=0"
}

# For boards whose U-Boot reads a list of systems from the first partition.
add_extlinux() {
  mkdir -p "$work/boot/extlinux"
  cat >"$work/boot/extlinux/extlinux.conf" <<TEXT
default sallyport
label sallyport
  kernel /vmlinuz
  initrd /initrd.img
  fdtdir /dtb
  append $(kernel_words)
TEXT
  cp -R "$work/trees" "$work/boot/dtb"
}

# For boards whose firmware is UEFI: systemd's loader where it looks first on a medium that it does not know.
add_efi() {
  mkdir -p "$work/boot"/{EFI/BOOT,loader/entries}
  cp "$packages/usr/lib/systemd/boot/efi/systemd-bootaa64.efi" "$work/boot/EFI/BOOT/BOOTAA64.EFI"
  printf 'timeout 0\neditor no\n' >"$work/boot/loader/loader.conf"
  cat >"$work/boot/loader/entries/sallyport.conf" <<TEXT
title sallyport
linux /vmlinuz
initrd /initrd.img
options $(kernel_words)
TEXT
}

# Debian's kernel has no overlays for Raspberry Pi, so what the board needs of them is put into its device tree here.
add_raspberry_pi() {
  local overlay tree=$work/boot/${board_tree##*/}
  cp "$work/firmware"/{bootcode.bin,start.elf,fixup.dat,start4.elf,fixup4.dat} "$work/boot/"
  cp "$work/trees/$board_tree" "$tree"
  for overlay in $board_overlays; do
    [ -e "$here/image/overlays/$overlay.dts" ] ||
      fail "$EXIT_DATA" "$board needs the overlay $overlay, and there is none for Debian's kernel; take --base"
    if ! dtc -q -@ -I dts -O dtb -o "$work/overlay.dtbo" "$here/image/overlays/$overlay.dts" ||
      ! fdtoverlay -i "$tree" -o "$tree.new" "$work/overlay.dtbo"; then
      fail "$EXIT_DATA" "the overlay $overlay does not fit $board_tree"
    fi
    mv "$tree.new" "$tree"
  done
  [ -z "$board_parameters" ] || fail "$EXIT_DATA" "$board needs $board_parameters, which only its maker's kernel knows"
  cat >"$work/boot/config.txt" <<TEXT
# Made for $board by scripts/image.sh.
arm_64bit=1
enable_uart=1
kernel=vmlinuz
initramfs initrd.img followkernel
device_tree=${tree##*/}
disable_splash=1
TEXT
}

make_ext4() {
  local target=$1 label=$2 size_mib=$3 uuid=$4
  shift 4
  truncate --size="${size_mib}M" "$target"
  mke2fs -q -t ext4 -b 4096 -L "$label" -U "$uuid" -m 0 -O "$EXT4_FEATURES" -E "root_owner=0:0${extended:-}" "$@" "$target"
}

make_root_file_system() {
  local used_mib files
  used_mib=$(du --summarize --block-size="$MIB" "$packages" | cut -f1)
  files=$(find "$packages" | wc -l)
  make_ext4 "$work/root.img" sallyport-root $((used_mib * 5 / 4 + 32)) random \
    -O ^has_journal,^resize_inode,^flex_bg -N $((files + SPARE_FILES)) -d "$packages"
  # To what it needs, in full MiB: nothing is ever written to it.
  resize2fs -M "$work/root.img" >/dev/null 2>&1 || fail "$EXIT_DATA" "the root cannot be made small"
  truncate --size="%${MIB}" "$work/root.img"
}

make_data_file_system() {
  mkdir -p "$work/data/sallyport/tls"
  chown -R "$SERVICE_ID:$SERVICE_ID" "$work/data/sallyport"
  chmod 750 "$work/data/sallyport"
  chmod 700 "$work/data/sallyport/tls"
  extended=,resize=$DATA_BLOCKS_MAX make_ext4 "$work/data.img" sallyport-data "$DATA_MIB" random -J size=16 -d "$work/data"
}

join_disk() {
  local target=$1 root_mib part at
  root_mib=$(($(stat --format=%s "$work/root.img") / MIB))
  rm -f "$target"
  truncate --size="$((ALIGN_MIB + fat_mib + root_mib + DATA_MIB))M" "$target"
  at=$ALIGN_MIB
  {
    echo 'label: dos'
    echo "start=$((at * MIB / SECTOR)), size=$((fat_mib * MIB / SECTOR)), type=c, bootable"
    echo "start=$(((at + fat_mib) * MIB / SECTOR)), size=$((root_mib * MIB / SECTOR)), type=83"
    echo "start=$(((at + fat_mib + root_mib) * MIB / SECTOR)), size=$((DATA_MIB * MIB / SECTOR)), type=83"
  } | sfdisk --quiet "$target"
  for part in fat root data; do
    dd if="$work/$part.img" of="$target" bs="$MIB" seek="$at" conv=notrunc,sparse status=none
    at=$((at + $(stat --format=%s "$work/$part.img") / MIB))
  done
}
