#!/bin/sh
# edges.sh - the architecture as a test: every #include is an edge that edges.awk allows, and every
# source file is listed in Makefile.am. Breaks rules on purpose first, to see the check notice.
set -u
: "${srcdir:=.}"
AWK=${AWK:-awk}
cd "$srcdir" || exit 2

passed=0
failed=0
outcome() { # STATUS NAME
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "  FAILED: $2"
    fi
}

work=$(mktemp -d "${TMPDIR:-/tmp}/divvy-edges-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT

refuses() { # PATH INCLUDE
    mkdir -p "$work/$(dirname "$1")"
    echo "#include $2" >"$work/$1"
    (cd "$work" && ! "$AWK" -f "$rules" "$1" >/dev/null)
    outcome $? "edges.awk lets $1 include $2"
}

accepts() { # PATH INCLUDE
    mkdir -p "$work/$(dirname "$1")"
    echo "#include $2" >"$work/$1"
    (cd "$work" && "$AWK" -f "$rules" "$1" >/dev/null)
    outcome $? "edges.awk keeps $1 from including $2"
}

rules=$(pwd)/tests/edges.awk
refuses src/core/graph.c '"solver/strategy.h"'
refuses solver/ilp.c '"load/load.h"'
refuses runtime/executor.c '"costmodel/costmodel.h"'
refuses costmodel/roofline.c '"runtime/backend.h"'
refuses viz/view.c '"runtime/executor.h"'
refuses solver/chain.c '<glpk.h>'
refuses src/cli/main.c '<SDL.h>'
refuses src/core/file.c '<openssl/sha.h>'
refuses solver/chain.c '"strategy.h"'
accepts costmodel/calibrate.c '"runtime/backend.h"'
accepts solver/ilp_model.c '<glpk.h>'
accepts src/cli/main.c '"solver/strategy.h"'

# Code that a build made in the source tree is not ours
sources=$(find src costmodel solver sim runtime viz datasets tests bench -name '*.[ch]' -o \
    -name '*.def' | grep -v '\.pb-c\.' | LC_ALL=C sort)
# shellcheck disable=SC2086 # a list of files
"$AWK" -f "$rules" $sources
outcome $? "includes that the architecture does not allow (above)"

unlisted=0
for file in $sources; do
    grep -q -F "$file" Makefile.am || {
        echo "  $file is not listed in Makefile.am"
        unlisted=1
    }
done
outcome $unlisted "source files that Makefile.am does not list (above)"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
