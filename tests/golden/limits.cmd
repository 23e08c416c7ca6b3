# A limit that binds: the exact strategies keep it, rules that break it have no plan.
divvy generate chain --units 6 --targets 3 --seed 7 -o free.json
sed 's/^  "host":/  "limits": {"max_segments": 1},\n  "host":/' free.json >limited.json
divvy compare free.json --untimed --strategy ilp
divvy compare limited.json --untimed
divvy compare limited.json --untimed --strategy mincut
