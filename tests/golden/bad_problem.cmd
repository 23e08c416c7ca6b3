# Costs that are no costs.
small=$golden/data/small.problem.json
sed 's/\[40, 4\]/[40, -4]/' "$small" >negative.json
divvy partition negative.json
sed 's/\[40, 4\]/[NaN, 4]/' "$small" >nan.json
divvy partition nan.json
sed 's/\[40, 4\]/[1e999, 4]/' "$small" >infinite.json
divvy partition infinite.json
sed 's/"dispatch_us": 5/"dispatch_us": -5/' "$small" >dispatch.json
divvy partition dispatch.json
sed 's/\[3, null\]/[null, null]/' "$small" >nowhere.json
divvy partition nowhere.json
sed 's/"from": "conv1"/"from": "conv2"/' "$small" >cycle.json
divvy partition cycle.json
sed 's/"time_us": \[40, 4\]/"time_uss": [40, 4]/' "$small" >key.json
divvy partition key.json
sed 's/"to": \["relu1"\]/"to": ["relu9"]/' "$small" >unit.json
divvy partition unit.json
sed 's/\[40, 4\]/[1e308, 1e308]/; s/\[2, 1\]/[1.2e308, 1]/' "$small" >overflow.json
divvy partition overflow.json
sed 's/"name": "nms"/"name": "nms", "pin": "npu:f16"/' "$small" >pin.json
divvy partition pin.json
sed 's/^ "host"/ "limits": {"energy_uj": -1}, "host"/' "$small" >budget.json
divvy partition budget.json
sed 's/^ "host"/ "limits": {"segments": 3}, "host"/' "$small" >limit.json
divvy partition limit.json
