#!/bin/sh
# Spreads a simulated run over a Slurm cluster: one array job, each of whose tasks is a shard. Build first, on a machine with
# cargo, and submit from the repository's folder, which all nodes see:
#
#   cargo build --release -p gmp-sim -p xtask
#   sbatch --array=1-40 examples/simulator-jobs/slurm.sh OUT --machine 2x64 --seeds 20
#
# A task that was cut goes on where it was when the same line is submitted again. When all are through:
#
#   target/release/xtask sim report OUT/shard-*.json --html OUT/report.html
#SBATCH --job-name=gmp-sim
#SBATCH --cpus-per-task=8
#SBATCH --time=01:00:00
#SBATCH --output=gmp-sim-%A-%a.txt
set -eu
out=$1
shift
mkdir -p "$out"
file=$out/shard-$SLURM_ARRAY_TASK_ID.json
if [ -s "$file" ]; then
    set -- --resume "$file"
else
    set -- "$@" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --json "$file"
fi
exec target/release/xtask sim --program target/release/gmp-sim --jobs "${SLURM_CPUS_PER_TASK:-1}" "$@"
