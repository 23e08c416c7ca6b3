# Files that are no model: one line each, and nothing is left behind.
divvy info missing.onnx
divvy info .
: >empty.onnx
divvy info empty.onnx
printf '\010\007\022\004test\072\377\377\377\017' >truncated.onnx
divvy info truncated.onnx
printf '\010\007\072\004\012\377\001\000' >corrupt.onnx
divvy info corrupt.onnx
printf '{"divvy": "graph/1", "tensors": [' >broken.json
divvy info broken.json
printf '{"divvy": "graph/9"}' >future.json
divvy info future.json
printf 'no model at all' >text.txt
divvy info text.txt
printf '%s' '{"a":' '[[[[[[[[' >deep.json
divvy partition deep.json
# Whatever bytes a file holds, the answer is one line and status 2
for seed in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    awk -v seed=$seed 'BEGIN { srand(seed); for (i = 0; i < 3000; i++) printf "%c", int(rand() * 127) + 1 }' >random.onnx
    divvy partition random.onnx 2>&1 | sed 's/^divvy: random.onnx: .*/one line/'
done | sort | uniq -c | sed 's/^ *//'
rm ./*
ls
