# A network cut off anywhere: refused in one line, whatever the length.
small=$golden/data/small.graph.json
size=$(wc -c <"$small")
length=1
while [ $length -lt $((size - 3)) ]; do
    head -c $length "$small" >cut.json
    divvy info cut.json 2>&1 | sed 's/^divvy: cut.json: .*/one line/'
    length=$((length + 37))
done | sort | uniq -c | sed 's/^ *//'
