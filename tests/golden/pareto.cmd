divvy partition "$golden/data/small.problem.json" --pareto segments | tail -n 4
divvy partition "$golden/data/small.problem.json" --pareto segments --json | sed -n '/pareto_axis/,$p' | grep -v conv
divvy partition "$golden/data/small.problem.json" --pareto energy
divvy partition "$golden/data/small.problem.json" --pareto beauty
divvy partition "$golden/data/small.problem.json" --robust 10% | sed -n '/^Each/,$p'
divvy partition "$golden/data/small.problem.json" --robust 10% --json | sed -n '/"robust"/,$p'
divvy partition "$golden/data/small.problem.json" --robust 110%
