# dv_library.m4 - looks for a library and keeps a line about it for configure's closing table.

dv_table=
dv_missing=
dv_packages=

# DV_TABLE_ROW(NAME, yes|no, DEBIAN-PACKAGE, NEED)
# NEED begins with "required", "optional" or "tests"; a required library that is missing is fatal
# at the end of configure, when all of them are known.
m4_define([DV_TABLE_ROW], [
    AS_IF([test "$2" = yes], [dv_row=`printf '  %-12s found' "$1"`],
          [dv_row=`printf '  %-12s MISSING  %-20s %s' "$1" "$3" "$4"`])
    dv_table="$dv_table
$dv_row"
    AS_CASE(["$2:$4"], [no:required*], [dv_missing="$dv_missing $1" dv_packages="$dv_packages $3"])
])

# DV_LIBRARY(VARIABLE, NAME, DEBIAN-PACKAGE, PKG-CONFIG-MODULE, HEADER, FUNCTION, LIBRARIES, NEED)
# With a module pkg-config decides; without one the header, and the function in the libraries.
# Headers are marked as the system's: their warnings are not ours.
m4_define([DV_LIBRARY], [
    m4_ifval([$4], [
        PKG_CHECK_MODULES([$1], [$4], [have_$1=yes], [have_$1=no])
        $1_CFLAGS=`AS_ECHO(["$$1_CFLAGS"]) | $SED 's/-I/-isystem /g'`
    ], [
        AC_CHECK_HEADER([$5], [have_$1=yes], [have_$1=no])
        m4_ifval([$6], [
            dv_save_libs=$LIBS
            LIBS="$7 $LIBS"
            AS_IF([test "$have_$1" = yes], [AC_MSG_CHECKING([for $6 in $7])
                AC_LINK_IFELSE([AC_LANG_CALL([], [$6])], [], [have_$1=no])
                AC_MSG_RESULT([$have_$1])])
            LIBS=$dv_save_libs
        ])
        $1_CFLAGS=
        $1_LIBS="$7"
        AC_SUBST([$1_CFLAGS])
        AC_SUBST([$1_LIBS])
    ])
    AS_IF([test "$have_$1" = yes],
          [AC_DEFINE([HAVE_$1], [1], [Define if $2 is there.])],
          [$1_CFLAGS= $1_LIBS=])
    AM_CONDITIONAL([HAVE_$1], [test "$have_$1" = yes])
    DV_TABLE_ROW([$2], [$have_$1], [$3], [$8])
])
