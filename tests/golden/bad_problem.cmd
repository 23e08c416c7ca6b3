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
