# shellcheck shell=bash disable=SC2154 # what image.sh and the others set
# The root of the board, put together on this machine: Debian's packages are unpacked, never installed, so nothing of
# them is run and no emulator is needed. What their scripts would do that a gateway needs is done here. Sourced by image.sh.

# With its updates and security updates, as mmdebstrap has it where no mirror is named.
readonly SUITE=trixie ARCHITECTURE=arm64
readonly SERVICE_ID=900
# Documents, translations, and drivers of what no gateway has: sound, cameras, television, graphics of servers.
readonly LEFT_OUT=(
  boot usr/share/{doc,doc-base,man,locale,info,lintian,bash-completion,zsh,common-licenses,perl5,bug,menu,initramfs-tools,gcc,gdb}
  usr/share/{i18n,pixmaps,applications,polkit-1,dbus-1/interfaces} usr/lib/udev/hwdb.d usr/lib/systemd/catalog usr/include
  usr/lib/raspi-firmware etc/{apt,cron.d,cron.daily,init.d,initramfs-tools,initramfs,kernel,rc?.d,update-motd.d,motd}
  var usr/share/initramfs-tools usr/lib/aarch64-linux-gnu/gconv usr/share/perl
  usr/lib/klibc usr/bin/busybox
)
# Below the kernel's folder.
readonly DRIVERS_LEFT_OUT=(
  sound fs/{bcachefs,btrfs,ocfs2,gfs2,xfs,ceph,smb,nfs,nfsd,f2fs,jfs}
  drivers/{media,infiniband,isdn,accel,comedi,gpu/drm/{amd,nouveau,radeon,msm,xe}}
)
# What would want to write to /etc, or wait for what a board has not.
readonly MASKED=(
  systemd-sysusers systemd-firstboot systemd-machine-id-commit systemd-hwdb-update systemd-journal-catalog-update
  systemd-update-done systemd-logind systemd-pcrmachine systemd-tpm2-setup systemd-tpm2-setup-early ldconfig
  systemd-networkd-wait-online systemd-binfmt systemd-hibernate-clear e2scrub_reap systemd-networkd-persistent-storage
)
readonly MASKED_UNITS=(
  dbus.service dbus.socket systemd-creds.socket systemd-hostnamed.socket systemd-initctl.socket systemd-pcrextend.socket
  systemd-pcrlock.socket systemd-sysext.socket systemd-userdbd.socket systemd-mountfsd.socket systemd-nsresourced.socket
  systemd-bootctl.socket systemd-importd.socket systemd-ask-password-console.path systemd-ask-password-wall.path
  proc-sys-fs-binfmt_misc.automount machines.target e2scrub_all.timer fstrim.timer
)
# What the supplicant's packages bring along for machines on which people work.
readonly RADIO_LEFT_OUT=(
  etc/{adduser.conf,deluser.conf,dbus-1,dhcp,ifplugd,wpa_supplicant,network} etc/pam.d/{chfn,chpasswd,chsh,newusers,passwd} etc/cron.daily
  usr/bin/{chage,chfn,chsh,expiry,gpasswd,passwd,wpa_passphrase} usr/lib/pm-utils usr/share/{adduser,dbus-1}
  usr/sbin/{adduser,addgroup,deluser,delgroup,user*,group*,chpasswd,chgpasswd,newusers,pwck,grpck,pw*conv,grp*conv,shadowconfig,vipw,vigr,cppw,cpgr,wpa_action,wpa_cli}
  usr/lib/systemd/system/{wpa_supplicant*.service,dbus-fi.w1.wpa_supplicant1.service}
)
readonly ENABLED=(
  nftables systemd-networkd systemd-resolved systemd-timesyncd sallyport sallyport-first-boot sallyport-report
)

# What is in the image, a line each: kind, name, version, architecture, source, its version, checksum.
readonly PARTS_LIST=var/lib/dpkg/parts-list
# shellcheck disable=SC2016 # for a shell of mmdebstrap's
readonly TELL_PARTS='for file in "$1"/var/cache/apt/archives/*.deb; do
  dpkg-deb --show --showformat="deb\t\${Package}\t\${Version}\t\${Architecture}\t\${source:Package}\t\${source:Version}\t" "$file"
  sha256sum <"$file" | cut -c1-64
done >"$1/'$PARTS_LIST'"'

# Sets `packages`: a folder with Debian's packages of today, unpacked.
unpack_debian() {
  local list key
  list=$(wanted_packages | paste -sd,)
  key=$(echo "$SUITE $list $PARTS_LIST" | sha256sum | cut -c1-16)-$(date --utc +%F)
  if [ ! -e "$cache/debian-$key.tar" ]; then
    find "$cache" -name 'debian-*.tar' ! -name "*-$(date --utc +%F).tar" -delete
    say "fetching Debian's packages"
    mmdebstrap --quiet --variant=extract --architectures="$ARCHITECTURE" --components=main,non-free-firmware \
      --include="$list" --extract-hook="$TELL_PARTS" "$SUITE" "$work/debian.tar" >"$work/debian.log" 2>&1 ||
      fail "$EXIT_UNAVAILABLE" "Debian's packages cannot be had: $(tail -n 5 "$work/debian.log")"
    keep "$work/debian.tar" "$cache/debian-$key.tar"
  fi
  packages=$work/packages
  mkdir -p "$packages"
  tar -xf "$cache/debian-$key.tar" -C "$packages" --exclude='./dev/*'
  tell_parts "$packages/$PARTS_LIST" >"$work/parts"
}

wanted_packages() {
  grep -v '^#' "$here/image/packages"
  [ -z "$board_radio" ] || grep -v '^#' "$here/image/packages-radio"
  ! starts_by uefi || grep -v '^#' "$here/image/packages-efi"
}

# With Node, and with another image's kernel in place of Debian's.
tell_parts() {
  if [ -n "$base" ]; then
    grep -vP '^deb\t(linux-image-|raspi-firmware\t)' "$1"
    printf 'file\t%s\t\t\t\t\t%s\n' "$(basename "$base")" "$(sha256sum <"$base" | cut -c1-64)"
  else
    cat "$1"
  fi
  printf 'npm\t%s\t%s\t\t\t\t%s\n' "$NODE_PACKAGE" "$NODE_VERSION" "$NODE_SUM"
}

# Sets `kernel_version`, and keeps aside what belongs on the FAT partition.
set_kernel_aside() {
  cp "$packages/usr/bin/busybox" "$work/busybox"
  if [ -n "$base" ]; then
    take_base
  else
    kernel_version=$(basename "$packages"/usr/lib/modules/*)
    cp "$packages/boot/vmlinuz-$kernel_version" "$work/vmlinuz"
    mv "$packages/usr/lib/linux-image-$kernel_version" "$work/trees"
    cp -R "$packages/usr/lib/raspi-firmware" "$work/firmware"
  fi
  (cd "$packages/usr/lib/modules/$kernel_version/kernel" && rm -rf "${DRIVERS_LEFT_OUT[@]}")
  depmod --basedir "$packages" "$kernel_version"
  make_initrd
}

make_root() {
  say "making the root"
  # shellcheck disable=SC2068 # some are patterns
  (cd "$packages" && rm -rf ${LEFT_OUT[@]})
  find "$packages" -type f -perm /6000 -exec chmod ug-s {} +
  mkdir -p "$packages"/{boot/firmware,data,dev,proc,sys,run,tmp,root,var,srv}
  make_users
  # Some are in the packages as links to what only their scripts make.
  ln -sf dash "$packages/usr/bin/sh"
  cp -R --remove-destination "$here/image/root/." "$packages"
  mkdir -p "$packages/usr/lib/sallyport"
  cp -R "$work/program/." "$packages/usr/lib/sallyport/"
  install -m 755 "$node_program" "$packages/usr/bin/node"
  ln -sf ../lib/sallyport/sallyport.mjs "$packages/usr/bin/sallyport"
  check_libraries
  install_units
  install_radio
  ln -sfn /data/site "$packages/etc/sallyport"
  ln -sf /run/systemd/resolve/resolv.conf "$packages/etc/resolv.conf"
  make_etc_complete
  echo localhost >"$packages/etc/hostname"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$packages/etc/hosts"
  printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' >"$packages/etc/nsswitch.conf"
  # Filled from the data partition before systemd starts.
  : >"$packages/etc/machine-id"
  printf '%s\n' "$version" >"$packages/etc/sallyport-image"
  touch "$packages/etc/.updated" "$packages/usr"
}

# Nobody runs a program of the board before the board does.
check_libraries() {
  local program library
  for program in usr/bin/node usr/lib/systemd/systemd usr/sbin/{nft,e2fsck,sfdisk} ${board_radio:+usr/sbin/wpa_supplicant}; do
    for library in $("$CROSS-objdump" -p "$packages/$program" | awk '$1 == "NEEDED" { print $2 }'); do
      [ -n "$(find "$packages/usr/lib/aarch64-linux-gnu" -name "$library" -print -quit)" ] ||
        fail "$EXIT_DATA" "$program needs $library, and no package brings it"
    done
  done
}

# What systemd-tmpfiles would make at each boot, and cannot.
make_etc_complete() {
  local etc=$packages/etc
  ln -sf ../proc/self/mounts "$etc/mtab"
  mkdir -p "$etc/tmpfiles.d" "$etc/default"
  chmod 700 "$etc/credstore" "$etc/credstore.encrypted"
  : >"$etc/locale.conf"
  ln -sf ../locale.conf "$etc/default/locale"
  ln -sf default/keyboard "$etc/vconsole.conf"
  ln -sf /dev/null "$etc/tmpfiles.d/provision.conf"
}

# A board with a radio gets its firmware, of all that the package has, and what its supplicant needs; others get neither.
install_radio() {
  local units=$packages/usr/lib/systemd/system firmware=$packages/usr/lib/firmware kept=$work/firmware-kept name
  if [ -z "$board_radio" ]; then
    rm "$units/sallyport-radio@.service"
    return
  fi
  mkdir -p "$kept/brcm" "$kept/cypress"
  cp -a "$firmware/brcm/$board_radio".* "$kept/brcm/"
  cp -a "$firmware/cypress/${board_radio/brcm/cy}".* "$kept/cypress/"
  for name in regulatory.db regulatory.db.p7s; do cp "$firmware/$name-upstream" "$kept/$name"; done
  rm -rf "$firmware"
  mv "$kept" "$firmware"
  # shellcheck disable=SC2068 # some are patterns
  (cd "$packages" && rm -rf ${RADIO_LEFT_OUT[@]})
  install -D -m 644 "$root/systemd/sallyport-radio.rules" "$packages/usr/lib/udev/rules.d/71-sallyport-radio.rules"
}

make_users() {
  local etc=$packages/etc name id
  cp "$packages/usr/share/base-passwd/passwd.master" "$etc/passwd"
  cp "$packages/usr/share/base-passwd/group.master" "$etc/group"
  # Nobody logs in until a site names a password for the console.
  sed -i 's/^\([^:]*\):[^:]*:\(.*\):[^:]*$/\1:x:\2:\/usr\/sbin\/nologin/; s/^root:\(.*\):[^:]*$/root:\1:\/bin\/bash/' "$etc/passwd"
  id=$SERVICE_ID
  for name in sallyport systemd-network systemd-resolve systemd-timesync; do
    echo "$name:x:$id:$id::/:/usr/sbin/nologin" >>"$etc/passwd"
    echo "$name:x:$id:" >>"$etc/group"
    id=$((id + 1))
  done
  for name in gpio input render kvm sgx clock systemd-journal; do
    echo "$name:x:$id:" >>"$etc/group"
    id=$((id + 1))
  done
  sed -i 's/^\(dialout\|gpio\):\(.*\):$/\1:\2:sallyport/' "$etc/group"
  cut -d: -f1 "$etc/passwd" | sed 's/$/:!*:20000::::::/' >"$etc/shadow"
  chmod 640 "$etc/shadow"
  chown 0:42 "$etc/shadow"
}

install_units() {
  local units=$packages/usr/lib/systemd/system unit
  cp "$root"/systemd/*.service "$units/"
  install -D -m 644 "$root/systemd/journal.conf" "$packages/etc/systemd/journald.conf.d/sallyport.conf"
  install -D -m 644 "$root/systemd/sallyport.rules" "$packages/usr/lib/udev/rules.d/70-sallyport.rules"
  mkdir -p "$packages/etc/systemd/system/sallyport.service.d"
  cat >"$packages/etc/systemd/system/sallyport.service.d/board.conf" <<TEXT
[Service]
ExecStart=
ExecStart=/usr/bin/sallyport run --config /etc/sallyport/gateway.yaml --board $board
TEXT
  # Another board's site is then told as a mistake, and the light is known also where there is no site.
  mkdir -p "$packages/etc/systemd/system/sallyport-first-boot.service.d"
  cat >"$packages/etc/systemd/system/sallyport-first-boot.service.d/board.conf" <<TEXT
[Service]
Environment=SALLYPORT_BOARD=$board
TEXT
  systemctl --root="$packages" --quiet set-default multi-user.target
  for unit in "${MASKED[@]}"; do ln -sf /dev/null "$packages/etc/systemd/system/$unit.service"; done
  for unit in "${MASKED_UNITS[@]}"; do ln -sf /dev/null "$packages/etc/systemd/system/$unit"; done
  systemctl --root="$packages" --quiet enable "${ENABLED[@]/%/.service}" 2>"$work/enable.log" ||
    fail "$EXIT_DATA" "$(cat "$work/enable.log")"
}
