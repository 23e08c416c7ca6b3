#!/bin/sh
# run.sh - fuzzes the readers with clang's libFuzzer and sanitizers.
#
#   tests/fuzz/run.sh TARGET SECONDS      from the root of the source tree, after ./configure in build/
#
# TARGET is one of targets.def, or "all": each for SECONDS. What grows is kept in build/fuzz/grown, so
# that the next run goes on from there. A finding ends the run with status 1 and its file in
# build/fuzz/found: mend the reader, then commit the file under tests/fuzz/found/TARGET, which
# `make check` reads. Status 77: there is no clang. CLANG, JOBS and builddir may be set.
set -u
[ $# = 2 ] || {
    sed -n 's/^#   //p' "$0" >&2
    exit 2
}
: "${builddir:=build}" "${JOBS:=2}" "${CLANG:=$(command -v clang || command -v clang-14)}"
out=$builddir/fuzz
[ -n "$CLANG" ] && command -v "$CLANG" >/dev/null || {
    echo "SKIPPED fuzzing: there is no clang (CLANG may name one)" >&2
    exit 77
}
[ -f tests/fuzz/targets.def ] || {
    echo "run.sh: run me from the root of the source tree" >&2
    exit 2
}
known=$(sed -n 's/^FUZZ_TARGET(\(.*\))$/\1/p' tests/fuzz/targets.def | tr '\n' ' ')
targets=$1 seconds=$2
[ "$targets" = all ] && targets=$known
for target in $targets; do
    case " $known" in
    *" $target "*) ;;
    *)
        echo "run.sh: there is no target '$target'; there are: $known" >&2
        exit 2
        ;;
    esac
done

make -s -f tests/fuzz/fuzz.mk -j "$JOBS" builddir="$builddir" OUT="$out" CLANG="$CLANG" || exit 2
mkdir -p "$out/found"
status=0
for target in $targets; do
    mkdir -p "$out/grown/$target"
    set -- "$out/grown/$target" "tests/fuzz/corpus/$target"
    [ -d "tests/fuzz/found/$target" ] && set -- "$@" "tests/fuzz/found/$target"
    echo "== $target"
    "$out/$target" -max_total_time="$seconds" -max_len=24000 -timeout=60 -rss_limit_mb=2048 \
        -dict="tests/fuzz/$target.dict" -artifact_prefix="$out/found/$target-" \
        -print_final_stats=1 "$@" || status=1
done
exit $status
