# A real execution; figures vary, the check and the shape of the answer do not.
divvy run "$golden/data/small.graph.json" --runs 5 --json >run.json
grep -o '"[a-z_]*":' run.json | sort -u | tr '\n' ' '
divvy run "$golden/data/small.graph.json" --runs 5 | grep -o 'outputs agree with the portable reference'
divvy run "$golden/data/small.graph.json" --runs 5 --pin conv=worker:f32 --chrome-trace t.json | awk '/ > / { print $1, $2, $3, $4 }'
grep -c . t.json | awk '{ print ($1 > 5 ? "a timeline" : $1) }'
divvy run "$golden/data/small.graph.json" --platform iphone12
divvy run "$golden/data/small.problem.json" --runs 0
divvy run "$golden/data/small.problem.json"
divvy run "$golden/data/small.graph.json" --runs 5 --threads 2 | grep -o 'outputs agree with the portable reference'
divvy run "$golden/data/small.graph.json" --threads 0
