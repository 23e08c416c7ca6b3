divvy partition "$golden/data/small.problem.json" --strategy ilp -o plan.json --write-problem again.json --write-lp small.lp |
    sed "s/, [0-9.]* [mu]*s;/, TIME;/"
divvy partition again.json --strategy ilp --json | sed '/solve_ms/d; /"bound"/d; /"gap"/d'
grep -c . plan.json small.lp | awk -F: '{ print $1, ($2 > 5 ? "written" : "empty") }'
# The same plan again, by what it costs
divvy simulate "$golden/data/small.problem.json" --plan plan.json
divvy partition - --strategy ilp --quiet <"$golden/data/small.problem.json" | sed 's/, [0-9.]* [mu]*s;/, TIME;/' | head -n 3
divvy partition "$golden/data/small.problem.json" --strategy ilp --pin 'conv*=cpu:f32' --json | grep latency_us
# The weaker programs, by name or by their short form, and files of each
divvy partition "$golden/data/small.problem.json" --formulation transport --quiet --write-mps small.mps | sed 's/, [0-9.]* [mu]*s;/, TIME;/' | head -n 2
divvy partition "$golden/data/small.problem.json" --strategy ilp:order=free --write-lp free.lp --json | grep -E 'latency_us|proof_scope|outcome'
grep -c '^ s_' small.mps | awk '{ print ($1 > 0 ? "entries written" : "no entries") }'
grep -c ' n_[0-9]' free.lp | awk '{ print ($1 > 0 ? "counts written" : "no counts") }'
divvy partition "$golden/data/small.problem.json" --formulation naive --strategy auto
divvy partition "$golden/data/small.problem.json" --formulation naive --strategy ilp:order=free
divvy partition "$golden/data/small.problem.json" --formulation strange
