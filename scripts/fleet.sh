#!/usr/bin/env bash
# Writes a card for each row of a table, from one template of a site. Called by flash.sh.
#
#   scripts/flash.sh --fleet fleet.csv --template site/ [--only NAME] --image X --public-key K --device /dev/sdX
#
# The first line of the table names its columns; one is `name`. ${column} in a file of the template becomes the row's
# value when its card is written. All rows are checked before the first card is erased. The column `result` is kept by
# this script: a row that was written is not written again.
set -euo pipefail
export LC_ALL=C

readonly EXIT_USAGE=64 EXIT_DATA=65
readonly VALUE='^[A-Za-z0-9 ._:/@+-]*$'
readonly ROWS_MAX=1000
# Of a column's name in a template.
readonly OPENING="\${"

fail() {
  echo "fleet: $2" >&2
  exit "$1"
}

fleet='' template='' only='' pass_on=()

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --fleet | --template | --only)
        [ $# -ge 2 ] || fail "$EXIT_USAGE" "$1 needs a value"
        printf -v "${1#--}" %s "$2"
        shift 2
        ;;
      --site) fail "$EXIT_USAGE" "--template takes the place of --site" ;;
      --replace) fail "$EXIT_USAGE" "--replace is for one card: two with one identity throw each other off" ;;
      *) pass_on+=("$1") && shift ;;
    esac
  done
  [ -f "$fleet" ] || fail "$EXIT_DATA" "there is no table $fleet"
  [ -d "$template" ] || fail "$EXIT_DATA" "there is no folder $template"
}

columns=() rows=() result_at=-1 name_at=-1

read_table() {
  local index
  # Without what spreadsheets on Windows add.
  mapfile -t rows < <(sed -e '1s/^\xef\xbb\xbf//' -e 's/\r$//' "$fleet" | grep -v '^[[:space:],]*$')
  [ ${#rows[@]} -ge 2 ] || fail "$EXIT_DATA" "$fleet has no rows"
  [ ${#rows[@]} -le "$ROWS_MAX" ] || fail "$EXIT_DATA" "$fleet has more than $ROWS_MAX rows; split it"
  [[ ${rows[0]} != *";"* ]] || fail "$EXIT_DATA" "$fleet has semicolons: save it with commas between its cells"
  IFS=, read -r -a columns <<<"${rows[0]}"
  for index in "${!columns[@]}"; do
    [[ ${columns[index]} =~ ^[A-Za-z][A-Za-z0-9_]*$ ]] || fail "$EXIT_DATA" "\"${columns[index]}\" is no name of a column"
    case ${columns[index]} in
      name) name_at=$index ;;
      result) result_at=$index ;;
    esac
  done
  [ "$name_at" -ge 0 ] || fail "$EXIT_DATA" "$fleet has no column name"
  if [ "$result_at" -lt 0 ]; then
    result_at=${#columns[@]}
    columns+=(result)
    rows=("${rows[@]/%/,}")
    rows[0]+=result
  fi
}

# Sets `cells` to those of a row.
cells=()
split() {
  # An empty last cell would be lost.
  IFS=, read -r -a cells <<<"$1,."
  unset 'cells[-1]'
}

# Files are text: what is a certificate or a key holds no ${…}.
fill() {
  local file text index target=$1
  mkdir -p "$target"
  cp -R "$template/." "$target/"
  while IFS= read -r -d '' file; do
    text=$(<"$file")
    for index in "${!columns[@]}"; do
      text=${text//"\${${columns[index]}}"/"${cells[index]}"}
    done
    printf '%s\n' "$text" >"$file"
    if grep -n -F "$OPENING" "$file" >&2; then
      echo "fleet: ${cells[name_at]}: there is no such column for ${file#"$target"/}" >&2
      return 1
    fi
  done < <(grep -rlZF "$OPENING" "$target" || true)
}

# Every row, and all that is wrong with it.
check_rows() {
  local index cell row mistakes=0
  local -A names=()
  has_sallyport || echo "fleet: NOT CHECKED: there is no sallyport on this machine to check what the rows make" >&2
  for ((row = 1; row < ${#rows[@]}; row++)); do
    split "${rows[row]}"
    if [ ${#cells[@]} -ne ${#columns[@]} ]; then
      echo "fleet: row $row has ${#cells[@]} cells, and there are ${#columns[@]} columns" >&2
      mistakes=$((mistakes + 1))
      continue
    fi
    for index in "${!cells[@]}"; do
      cell=${cells[index]}
      if ! [[ $cell =~ $VALUE ]] || { [ -z "$cell" ] && [ "$index" -ne "$result_at" ]; }; then
        echo "fleet: row $row, ${columns[index]}: \"$cell\" is empty, or has other characters than letters, digits and ._:/@+-" >&2
        mistakes=$((mistakes + 1))
      fi
    done
    if [ -n "${names["x${cells[name_at]}"]:-}" ]; then
      echo "fleet: row $row: the name ${cells[name_at]} is there twice" >&2
      mistakes=$((mistakes + 1))
    fi
    names["x${cells[name_at]}"]=yes
    check_row || mistakes=$((mistakes + 1))
  done
  [ "$mistakes" -eq 0 ] || fail "$EXIT_DATA" "$mistakes mistakes. No card was touched."
  [ -z "$only" ] || [ -n "${names["x$only"]:-}" ] || fail "$EXIT_DATA" "no row is called $only"
}

has_sallyport() { [ -n "${SALLYPORT:-}" ] || command -v sallyport >/dev/null; }

check_row() {
  local target=$work/check
  rm -rf "$target"
  fill "$target" || return 1
  has_sallyport || return 0
  # shellcheck disable=SC2086 # a command with its arguments
  ${SALLYPORT:-sallyport} check --without-key "$target" >/dev/null || {
    echo "fleet: the row ${cells[name_at]} gives a site with mistakes" >&2
    return 1
  }
}

# The table is whole at every moment, for a laptop may be closed; and still its owner's, whoever runs this.
keep_result() {
  local row=$1 IFS=,
  split "${rows[row]}"
  cells[result_at]=$2
  rows[row]="${cells[*]}"
  cp --preserve=mode,ownership "$fleet" "$fleet.new"
  printf '%s\n' "${rows[@]}" >"$fleet.new"
  sync "$fleet.new"
  mv "$fleet.new" "$fleet"
}

write_rows() {
  local row code name
  for ((row = 1; row < ${#rows[@]}; row++)); do
    split "${rows[row]}"
    name=${cells[name_at]}
    if [ -n "$only" ]; then
      [ "$name" = "$only" ] || continue
    elif [[ ${cells[result_at]} == written* ]]; then
      echo "fleet: $name was ${cells[result_at]}"
      continue
    fi
    rm -rf "$work/site"
    fill "$work/site"
    # Also with --yes: else one card would be written again and again.
    printf 'fleet: put in the card for %s, then press Enter: ' "$name"
    read -r || fail "$EXIT_USAGE" "stopped before $name; start again to go on"
    code=0
    "$(dirname "$0")/flash.sh" --site "$work/site" "${pass_on[@]}" || code=$?
    if [ "$code" -ne 0 ]; then
      keep_result "$row" "failed with $code"
      fail "$code" "$name was not written; start again to go on"
    fi
    keep_result "$row" "written $(date --utc +%Y-%m-%dT%H:%M:%SZ)"
  done
  echo "fleet: done"
}

main() {
  parse "$@"
  read_table
  umask 077
  work=$(mktemp --directory --tmpdir="$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")" fleet.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  check_rows
  write_rows
}

main "$@"
