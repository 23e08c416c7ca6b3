# A few hundred bytes that ask for more than a machine has: planned, and a run is refused before it begins.
net() { printf '{"divvy": "graph/1", "name": "big", "tensors": [{"name": "x", "role": "input", "dtype": "f32", "shape": [%s]}, {"name": "z", "role": "input", "dtype": "f32", "shape": [%s]}, {"name": "y"}], "operators": [{"kind": "aten.bmm.default", "inputs": ["x", "z"], "outputs": ["y"]}], "outputs": ["y"]}' "$1" "$2"; }
net "30000, 1000" "1000, 30000" >wide.json
divvy partition wide.json | head -n 1
divvy run wide.json --memory 2GB
net "100, 100000000" "100000000, 100" >long.json
divvy simulate long.json | head -n 1
divvy run long.json --memory 1TB 2>&1 | sed 's/[0-9.]* s,/TIME,/; s/about [0-9.]* s;/about TIME;/; s/patience [0-9]*s/patience TIME/'
divvy run wide.json --memory 1TB --patience 1s 2>&1 | sed 's/[0-9.]* m*s,/TIME,/; s/about [0-9.]* s;/about TIME;/; s/patience [0-9]*s/patience TIME/'
divvy run wide.json --patience soon
