#!/bin/sh
# A bench program for tests: some of its cells crash, hang or say nothing.
spec() {
    rules=; if [ "$1" = gmp ]; then rules='"idle_rules":["go","frugal"],'; fi
    echo "{\"lib\":\"$1\",\"policy\":\"$2\",$rules\"workload\":\"$3\",\"procs\":1,\"n\":$4}"
}
if [ "$1" = list ]; then
    spec gmp go good 0; spec gmp random good 0; spec rival - good 0
    spec gmp go crash 5; spec gmp go hang 5; spec gmp go silent 5; spec gmp go last 1000
    exit
fi
say() { echo "{\"n\":7,\"ns_per_op\":$1,\"extra\":{\"calibration_ns\":${FAKE_LOOP:-2},\"min\":19,\"max\":22$2}}"; }
case "$*" in
    *" crash "*) echo "fatal: invariant broken" >&2; kill -ABRT $$ ;;
    *" hang "*) exec sleep 60 ;;
    *" silent "*) ;;
    *"--idle frugal"*) say 5.0 ;;
    *"--mode pinned"*) say 40.5 ;;
    *random*) say 10.0 ;;
    *) say "${FAKE_FIGURE:-20.25}" ',"bytes_per_g":1234.5,"p99_ns":5e6' ;;
esac
