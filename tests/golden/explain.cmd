divvy explain "$golden/data/small.problem.json"
divvy explain "$golden/data/small.problem.json" -s cheapest --json -o explain.json
grep -v '"target"' explain.json
divvy partition "$golden/data/small.problem.json" --regret --k-best 4 | tail -n 13
divvy partition "$golden/data/small.problem.json" --k-best 2 --json | sed -n '/k_best_exact/,$p'
divvy partition "$golden/data/small.problem.json" --k-best 0
divvy explain zoo:distilbert -p iphone12 --unsupported-gain | sed -n '/^Gain/,$p'
divvy explain zoo:distilbert -p iphone12 --unsupported-gain --json | sed -n '/unsupported_gain_proven/,$p'
divvy explain "$golden/data/small.problem.json" --unsupported-gain
