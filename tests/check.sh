#!/bin/sh
# check.sh - everything `make check` counts: the CUnit suites, the command line, the includes.
#
# srcdir and builddir are absolute; AWK is awk. Ends with one line "N passed, N failed".
set -u
: "${srcdir:?}" "${builddir:?}"
AWK=${AWK:-awk}
export srcdir builddir AWK
cd "$builddir" || exit 2

log=tests/check.log
: >"$log"

# A part that dies without its own count is one failure.
part() {
    echo "== $1"
    shift
    "$@" >tests/part.log 2>&1
    part_status=$?
    cat tests/part.log
    cat tests/part.log >>"$log"
    counts=$("$AWK" '
        /^ *asserts/ { next }
        /^ *tests +[0-9]/ { passed += $4; failed += $5; seen = 1 } # the summary of CUnit
        /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3; seen = 1 }
        END { print passed + 0, failed + 0, seen + 0 }' tests/part.log)
    # shellcheck disable=SC2086 # three numbers
    set -- $counts
    passed=$((passed + $1))
    failed=$((failed + $2))
    if [ "$3" = 0 ] || { [ "$part_status" != 0 ] && [ "$2" = 0 ]; }; then
        echo "   ended with status $part_status"
        failed=$((failed + 1))
    fi
    rm -f tests/part.log
}

passed=0
failed=0
part "suites" tests/run
part "command line" sh "$srcdir/tests/golden.sh"
part "includes and lists of files" sh "$srcdir/tests/edges.sh"

echo
grep '^ *SKIPPED' "$log" | sort -u
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
