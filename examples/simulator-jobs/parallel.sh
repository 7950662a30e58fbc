#!/bin/sh
# Spreads a simulated run over the machines of a list with GNU parallel, one shard at a time on each, and makes one table
# and page of it. Each machine sees this folder under the same path.
#
#   SHARDS=40 LOGIN="--sshloginfile hosts" examples/simulator-jobs/parallel.sh OUT --machine 2x64 --seeds 20
#
# Without LOGIN everything runs here. A shard that was cut is resumed when the script is started again.
set -eu
out=$1
shift
shards=${SHARDS:-8}
cargo build --release --quiet -p gmp-sim -p xtask
mkdir -p "$out"
here=$(pwd)
xtask=${CARGO_TARGET_DIR:-$here/target}/release/xtask
program=${CARGO_TARGET_DIR:-$here/target}/release/gmp-sim
# shellcheck disable=SC2086 # LOGIN is several words.
seq "$shards" | parallel ${LOGIN:-} --jobs "${JOBS:-1}" --halt soon,fail=1 --workdir "$here" --quote sh -c '
    i=$1; shift; n=$1; shift; out=$1; shift; xtask=$1; shift; program=$1; shift
    file=$out/shard-$i.json
    if [ -s "$file" ]; then set -- --resume "$file"; else set -- "$@" --shard "$i/$n" --json "$file"; fi
    exec "$xtask" sim --program "$program" "$@" > "$out/shard-$i.txt"
' sh '{}' "$shards" "$out" "$xtask" "$program" "$@"
"$xtask" sim report "$out"/shard-*.json --html "$out/report.html" > "$out/report.txt"
echo "$out/report.txt and $out/report.html"
