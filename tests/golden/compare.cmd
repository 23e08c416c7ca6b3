divvy compare "$golden/data/small.problem.json" -s ilp -s chain -s single -s cheapest | sed -E "s/ +[0-9.e+-]+ (us|ms|s)  (optimal|-|gap.*)$/  TIME  \2/; s/moved  *solve/moved  solve/"
divvy compare "$golden/data/small.problem.json" -s ilp -s cheapest --json | sed "/solve_ms/d; /bound/d"
