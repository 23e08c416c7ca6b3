# edges.awk - reads the #include lines of the files named and prints each that the architecture
# does not allow: who may include whom, and which third-party header is whose.
#
#   awk -f edges.awk FILE...     paths from the root of the tree; status 1 if anything was printed

function allow(folder, list,    names, n, i)
{
    known[folder] = 1
    n = split(list, names, " ")
    for (i = 1; i <= n; i++)
        edge[folder, names[i]] = 1
    edge[folder, folder] = 1
}

BEGIN {
    allow("core", "")
    allow("load", "core")
    allow("lower", "core")
    allow("solver", "core")
    allow("sim", "core")
    allow("runtime", "core")
    allow("costmodel", "core")
    allow("viz", "core solver")
    allow("datasets", "core")
    everything = "core load lower solver sim runtime costmodel viz datasets cli"
    allow("cli", everything)
    allow("tests", everything)
    allow("bench", everything " tests")

    # Files that may use what their folder may not: those that measure
    special["costmodel/calibrate", "runtime"] = 1
    special["costmodel/kernels", "runtime"] = 1
    special["costmodel/machine", "runtime"] = 1
    special["costmodel/probe", "runtime"] = 1
    special["costmodel/validate", "runtime"] = 1

    # Third-party headers and the files that translate them
    owner["glpk.h"] = "^(solver/ilp[^/]*|tests/unit/test_model_file)\\.c$"
    owner["igraph.h"] = "^(src/core/graph_algo|solver/mincut|viz/lanes)\\.c$"
    owner["igraph/igraph.h"] = owner["igraph.h"]
    owner["metis.h"] = "^solver/metis\\.c$"
    owner["zip.h"] = "^src/load/[a-z0-9_]+\\.c$"
    owner["cJSON.h"] = "^(src/core/(json|[a-z_]*_(json|read|write))[a-z_]*|src/load/[a-z_]+)\\.c$|^tests/"
    owner["cjson/cJSON.h"] = owner["cJSON.h"]
    owner["xnnpack.h"] = "^runtime/xnnpack/"
    owner["pthreadpool.h"] = "^runtime/xnnpack/"
    owner["dnnl.h"] = "^runtime/onednn/"
    owner["dnnl_types.h"] = "^runtime/onednn/"
    owner["CL/cl.h"] = "^runtime/opencl/"
    owner["xgboost/c_api.h"] = "^costmodel/learned\\.c$"
    owner["SDL.h"] = "^viz/[a-z_]*_sdl\\.c$"
    owner["SDL2/SDL.h"] = owner["SDL.h"]
    owner["sanitizer/asan_interface.h"] = "^tests/fuzz/"
    owner["png.h"] = "^(viz/(image|png)[a-z_]*\\.c$|tests/)"
    owner["ft2build.h"] = "^viz/tools/"
    owner["CUnit/CUnit.h"] = "^tests/"
    owner["CUnit/Basic.h"] = "^tests/"

    n = split("assert cpuid ctype dirent dlfcn endian errno fcntl fenv float fnmatch getopt glob " \
              "inttypes langinfo limits locale malloc math poll pthread sched semaphore setjmp signal spawn " \
              "stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string " \
              "strings termios threads time unistd immintrin", names, " ")
    for (i = 1; i <= n; i++)
        standard[names[i] ".h"] = 1
}

function folder_of(path,    parts)
{
    split(path, parts, "/")
    return parts[1] == "src" ? parts[2] : parts[1]
}

function complain(what)
{
    printf "%s:%d: %s\n", FILENAME, FNR, what
    bad = 1
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    header = quoted[2]
    if (FILENAME ~ /^tests\// && header ~ /\.pb-c\.h$/)
        next
    from = folder_of(FILENAME)
    to = folder_of(header)
    stem = FILENAME
    sub(/\.[a-z]+$/, "", stem)
    sub(/_[a-z_]*$/, "", stem) # calibrate_fit.c is part of calibrate
    if (!(from in known))
        complain("folder \"" from "\" is not in the table of edges.awk")
    else if (!(to in known))
        complain("\"" header "\" is not written from the root of the tree")
    else if (!((from, to) in edge) && !((stem, to) in special))
        complain("\"" header "\": " from " may not include " to)
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, angled, /[<>]/)
    header = angled[2]
    if (header in owner) {
        if (FILENAME !~ owner[header])
            complain("<" header "> belongs in files like " owner[header])
    } else if (!(header in standard) && header !~ /^(sys|linux)\//)
        complain("<" header "> is neither standard nor known to edges.awk")
}

END { exit bad }
