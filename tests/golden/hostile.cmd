# Whatever is named as a model: one line and status 2, soon, and never a crash.
mkdir folder.onnx
divvy info folder.onnx
divvy info /dev/zero
divvy partition /dev/null
mkfifo pipe
printf '\010\007\072\177' >pipe &
divvy info pipe
wait
printf 'PK\003\004' | divvy info -
printf '{"divvy": ' | divvy info -

# Five gigabytes of nothing, under each name; they take no room on disk
for kind in onnx tflite pte pt2 json; do
    truncate -s 5G huge.$kind
    divvy info huge.$kind
    rm huge.$kind
done
truncate -s 5G huge.json
divvy simulate "$golden/data/small.graph.json" --plan huge.json
divvy partition "$golden/data/small.graph.json" --platform ./huge.json
rm huge.json

# One format's bytes under another's name are what their bytes say, or nothing
divvy convert "$golden/data/small.graph.json" -q -o small.onnx
cp "$golden/data/delegated.pte" program.onnx
divvy info program.onnx | sed -n 2p
cp small.onnx network.tflite
divvy info network.tflite | sed -n 2p | cut -d, -f1
cp "$golden/data/small.graph.json" graph.pt2
divvy info graph.pt2 | sed -n 2p
cp "$golden/data/small.problem.json" problem.onnx
divvy info problem.onnx

# Every format cut off at each sixteenth of its length
cp "$golden/data/delegated.pte" "$golden/data/small.problem.json" .
cp "$golden/../data/pt2/shapes.pt2" "$golden/../data/tflite/add.tflite" .
for whole in small.onnx add.tflite shapes.pt2 delegated.pte small.problem.json; do
    size=$(wc -c <"$whole")
    part=0
    while [ $part -lt 16 ]; do
        head -c $((size * part / 16)) "$whole" >"cut.${whole##*.}"
        divvy partition "cut.${whole##*.}" 2>&1 | sed 's/^divvy: cut[^:]*: .*/one line/'
        part=$((part + 1))
    done | sort | uniq -c | sed "s/^ */$whole: /"
done
rm -r ./*
