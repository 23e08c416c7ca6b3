divvy simulate "$golden/data/small.problem.json" --strategy ilp -o trace.json --chrome-trace chrome.json
divvy simulate "$golden/data/small.problem.json" --strategy ilp --inferences 10 --executor overlapped --json
head -n 1 trace.json
grep -c '"ph": *"X"' chrome.json | awk '{ print ($1 > 5 ? "events for Perfetto" : $1) }'
