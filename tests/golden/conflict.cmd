# Limits that cannot hold together are named, with what they would have to be.
small=$golden/data/small.problem.json
divvy partition "$small" --max-segments 1 --pin conv1=npu:f16
divvy partition "$small" --max-segments 2 --pin conv1=npu:f16 | head -n 1
divvy explain "$small" --max-segments 1 --pin conv1=npu:f16 --strategy cheapest
sed 's/"time_us": \[\([0-9]*\), \([0-9a-z]*\)\]/&, "energy_uj": [30, 10], "loss": [0, 0.125], "memory_bytes": [1000, 500]/' "$small" >limited.json
divvy partition limited.json --energy-budget 50uJ
divvy partition limited.json --energy-budget 0.07mJ --loss-budget 0.2
divvy partition limited.json --energy-budget 0.07mJ --loss-budget 0.2 --json | sed -n '/"conflict"/,$p'
divvy partition limited.json --energy-budget 90uJ --pin conv1=cpu:f32 --pin relu1=cpu:f32 --pin nms=cpu:f32
divvy partition limited.json --capacity cpu=2KB --capacity npu=0.5KB
divvy partition limited.json --capacity cpu=3KB --capacity npu=1KB | head -n 1
sed 's/"name": "nms"/"name": "nms", "group": 3/; s/"name": "conv1"/"name": "conv1", "group": 3, "pin": "npu:f16"/' "$small" >group.json
divvy partition group.json
# What is no limit.
divvy partition "$small" --energy-budget 5uJ
divvy partition "$small" --loss-budget 0.5
divvy partition "$small" --capacity npu=8MB
divvy partition limited.json --capacity dsp=8MB
divvy partition limited.json --capacity npu=8MiB
divvy partition limited.json --energy-budget 5W
divvy partition limited.json --loss-budget -1
divvy partition limited.json --max-segments 0
