divvy partition "$golden/data/small.problem.json" --strategy ilp -o plan.json --write-problem again.json --write-lp small.lp |
    sed "s/, [0-9.e+-]* ms;/, TIME;/"
divvy partition again.json --strategy ilp --json | sed '/solve_ms/d; /"bound"/d; /"gap"/d'
grep -c . plan.json small.lp | awk -F: '{ print $1, ($2 > 5 ? "written" : "empty") }'
# The same plan again, by what it costs
divvy simulate "$golden/data/small.problem.json" --plan plan.json
divvy partition - --strategy ilp --quiet <"$golden/data/small.problem.json" | sed 's/, [0-9.e+-]* ms;/, TIME;/' | head -n 3
divvy partition "$golden/data/small.problem.json" --strategy ilp --pin 'conv*=cpu:f32' --json | grep latency_us
