#!/bin/sh
# golden.sh - runs tests/golden/CASE.cmd and compares what it prints with CASE.out.
#
#   golden.sh [--update] [CASE...]     all cases if none is named; --update rewrites CASE.out
#
# A case is a shell script in which `divvy` is the program under test and $golden the folder of the
# cases. It runs in an empty folder of its own, without a terminal or a user's settings. Compared
# are both outputs, interleaved, and the exit status of each call that is not 0.
set -u
: "${srcdir:=.}" "${builddir:=build}"
golden=$(cd "$srcdir/tests/golden" && pwd) || exit 2
program=$(cd "$builddir" && pwd) || exit 2

update=no
if [ "${1:-}" = --update ]; then
    update=yes
    shift
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/divvy-golden-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT

mkdir "$work/bin"
cat >"$work/bin/divvy" <<END
#!/bin/sh
"$program/divvy" "\$@"
status=\$?
[ \$status = 0 ] || echo "  (status \$status)" >&2
exit \$status
END
chmod +x "$work/bin/divvy"

run_case() { # NAME: its output goes to $work/actual
    mkdir "$work/empty"
    (
        cd "$work/empty" || exit 2
        env -i PATH="$work/bin:/usr/bin:/bin" HOME="$work/empty" XDG_CONFIG_HOME="$work/empty" \
            LC_ALL=C TMPDIR="$work" golden="$golden" \
            ASAN_OPTIONS="${ASAN_OPTIONS:-}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-}" \
            LSAN_OPTIONS="${LSAN_OPTIONS:-}" \
            sh "$golden/$1.cmd" </dev/null 2>&1 | sed "s,$golden,GOLDEN,g" >"$work/actual"
    )
    rm -rf "$work/empty"
}

if [ $# = 0 ]; then
    for file in "$golden"/*.cmd; do
        set -- "$@" "$(basename "$file" .cmd)"
    done
fi
passed=0
failed=0
for case in "$@"; do
    run_case "$case"
    if [ $update = yes ]; then
        cp "$work/actual" "$golden/$case.out"
        echo "  $case: written"
    elif diff -u "$golden/$case.out" "$work/actual" >"$work/diff" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "  $case: FAILED"
        cat "$work/diff"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
