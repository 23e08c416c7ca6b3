# A limit that binds: strategies that cannot hold it have no plan, the others go on.
divvy generate chain --units 6 --targets 3 --seed 7 -o free.json
sed 's/^  "host":/  "limits": {"max_segments": 1},\n  "host":/' free.json >limited.json
divvy compare free.json --untimed --strategy ilp
divvy compare limited.json --untimed
divvy compare limited.json --untimed --strategy frontier
