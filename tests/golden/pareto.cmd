divvy partition "$golden/data/small.problem.json" --pareto segments | tail -n 4
divvy partition "$golden/data/small.problem.json" --pareto segments --json | sed -n '/pareto_axis/,$p' | grep -v conv
divvy partition "$golden/data/small.problem.json" --pareto energy
divvy partition "$golden/data/small.problem.json" --pareto beauty
sed 's/"time_us": \[\([0-9]*\), \([0-9a-z]*\)\]/&, "energy_uj": [30, 40], "memory_bytes": [1000, 1500]/' "$golden/data/small.problem.json" >front.json
divvy partition front.json --pareto memory --csv front.csv --svg front.svg --shot front.png | tail -n 5
cat front.csv
grep -c '<rect' front.svg >/dev/null && head -c 4 front.png | tail -c 3
divvy partition front.json --pareto energy --max-segments 3 | tail -n 4
divvy partition front.json --csv front.csv
# Limits beside every other answer.
divvy partition front.json --max-segments 2 --k-best 3 | tail -n 4
divvy partition front.json --energy-budget 130uJ --regret | tail -n 5
divvy explain front.json --capacity npu=2KB | tail -n 5
divvy partition front.json --max-segments 1 --robust 10% | sed -n '/^Each/,$p' | head -n 3
divvy breakpoints front.json --max-segments 2 --param dispatch:npu=1us..1ms
divvy breakpoints front.json --max-segments 1 --pin conv1=npu:f16 --param dispatch:npu=1us..1ms
divvy explain front.json --max-segments 1 --pin conv1=npu:f16
divvy partition front.json --max-segments 2 --objective throughput --json | grep -E '"(objective|outcome|value|bound|proved_by)"'
divvy partition front.json --strategy mincut --max-segments 2
divvy partition "$golden/data/small.problem.json" --robust 10% | sed -n '/^Each/,$p'
divvy partition "$golden/data/small.problem.json" --robust 10% --json | sed -n '/"robust"/,$p'
divvy partition "$golden/data/small.problem.json" --robust 110%
