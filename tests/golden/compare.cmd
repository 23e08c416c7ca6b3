divvy compare "$golden/data/small.problem.json" -s ilp -s chain -s single -s cheapest --untimed
# Times and memory differ from run to run, the rest does not
divvy compare "$golden/data/small.problem.json" -s ilp -s cheapest --json | sed "/solve_ms/d; /peak_bytes/d; /bound/d"
divvy compare "$golden/data/small.problem.json" -s ilp | head -n 2 | sed 's/  */ /g'
# Several at once come in the order of the command line
cp "$golden/data/small.problem.json" 'a_%,b.json'
divvy compare 'a_%,b.json' "$golden/data/small.problem.json" -s random:n=3 -s heft -s cheapest --seed 3 --untimed --csv rows.csv --latex table.tex --jobs 3 | tail -n 5
tr -d '\r' <rows.csv
cat table.tex
divvy compare 'a_%,b.json' -s expert:file=none.json -s ilp
divvy compare 'a_%,b.json' -s ilp --csv none/rows.csv
divvy compare 'a_%,b.json' -s ilp --jobs 0
