# embed.awk - data files become C string literals: awk -f embed.awk devices/a.json support/b.csv
#
# Makes the table that core/embedded.c searches. Files are text; names must come sorted (LC_ALL=C).
function escape(line)
{
    gsub(/\\/, "\\\\", line)
    gsub(/"/, "\\\"", line)
    gsub(/\?/, "\\?", line)
    return line
}
BEGIN { print "#include \"core/embedded.h\"" }
FNR == 1 {
    if (count)
        print ";"
    names[count++] = FILENAME
    printf "static const char file_%d[] =\n", count - 1
}
{ printf "    \"%s\\n\"\n", escape($0) }
END {
    if (count)
        print ";"
    print "const dv_embedded_file dv_embedded_files[] = {"
    for (i = 0; i < count; i++)
        printf "    {\"%s\", file_%d, sizeof file_%d - 1},\n", names[i], i, i
    print "    {0, 0, 0},\n};"
}
