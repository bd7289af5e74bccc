# shellcheck shell=bash disable=SC2154 # what image.sh and the others set
# Another image's kernel, in place of Debian's, for boards whose drivers are only there: Raspberry Pi OS (--base). Of that
# image its boot partition and its kernel's modules are taken, nothing else. Sourced by image.sh.

# The kernel of the boot partition for each kind of modules.
readonly -A BASE_KERNELS=([2712]=kernel_2712.img [v8]=kernel8.img)

base_start() {
  local sectors
  sectors=$(sfdisk --dump "$base" 2>/dev/null | sed -nE "s/^.*[^0-9]$1 : start= *([0-9]+),.*/\1/p")
  [ -n "$sectors" ] || fail "$EXIT_DATA" "$base has no partition $1; is it compressed?"
  echo $((sectors * SECTOR))
}

# In place of Debian's kernel: sets `kernel_version`, and the boot partition's files aside.
take_base() {
  local kind=v8 fat_at root_at
  [[ $board_tree != *bcm2712* ]] || kind=2712
  fat_at=$(base_start 1)
  root_at=$(base_start 2)
  kernel_version=$(debugfs -R 'ls -p /usr/lib/modules' "$base?offset=$root_at" 2>/dev/null |
    cut -d/ -f6 | grep -E -- "[-+]$kind\$" | sort --version-sort | tail -n 1) ||
    fail "$EXIT_DATA" "$base has no modules of a kernel for $board"
  say "taking the kernel $kernel_version of $base"
  mkdir -p "$work/base"
  mcopy -Q -s -n -m -i "$base@@$fat_at" :: "$work/base/" 2>/dev/null || fail "$EXIT_DATA" "the boot partition of $base cannot be read"
  mv "$work/base/${BASE_KERNELS[$kind]}" "$work/vmlinuz" 2>/dev/null || fail "$EXIT_DATA" "$base has no ${BASE_KERNELS[$kind]}"
  rm -rf "$packages/usr/lib/modules" "$packages"/usr/lib/linux-image-*
  mkdir -p "$packages/usr/lib/modules"
  debugfs -R "rdump /usr/lib/modules/$kernel_version $packages/usr/lib/modules" "$base?offset=$root_at" 2>/dev/null
  [ -d "$packages/usr/lib/modules/$kernel_version/kernel" ] || fail "$EXIT_DATA" "the modules of $base cannot be read"
  chown -R 0:0 "$packages/usr/lib/modules"
}

# Firmware, device trees and overlays as they came; what says which of them to use is ours.
add_base() {
  local setting
  (cd "$work/base" && rm -rf ./*.img initramfs* cmdline.txt config.txt issue.txt ssh* userconf* user-data meta-data network-config)
  cp -R "$work/base/." "$work/boot/"
  {
    echo "# Made for $board by scripts/image.sh."
    printf '%s\n' arm_64bit=1 enable_uart=1 kernel=vmlinuz 'initramfs initrd.img followkernel' disable_splash=1
    for setting in $board_overlays; do echo "dtoverlay=$setting"; done
    for setting in $board_parameters; do echo "dtparam=$setting"; done
  } >"$work/boot/config.txt"
}
