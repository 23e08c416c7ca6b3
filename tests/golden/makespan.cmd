divvy partition "$golden/data/branches.problem.json" --objective makespan -o plan.json | sed "s/, [0-9.]* [mu]*s;/, TIME;/"
divvy partition "$golden/data/branches.problem.json" --objective makespan --json | grep -E '"(objective|outcome|value|bound|latency_us|proved_by)"'
# A plan made for the makespan is played so, unless one thing at a time is asked for
divvy simulate "$golden/data/branches.problem.json" --plan plan.json
divvy simulate "$golden/data/branches.problem.json" --plan plan.json --executor sequential | head -n 1
divvy compare "$golden/data/branches.problem.json" --objective makespan --untimed -s auto -s single -s heft -s peft -s chain
# A makespan that is not the plan's is refused
sed 's/"makespan_us": [0-9.]*/"makespan_us": 41/' plan.json >false.json
divvy simulate "$golden/data/branches.problem.json" --plan false.json
