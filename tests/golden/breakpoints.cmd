divvy breakpoints "$golden/data/small.problem.json" --param handover=0.1..10
divvy breakpoints "$golden/data/small.problem.json" --param dispatch:npu=1us..1ms --json | grep -E 'exact|low|high|segments|conv'
# What cannot be asked
divvy breakpoints "$golden/data/small.problem.json"
divvy breakpoints "$golden/data/small.problem.json" --param dispatch:gpu=1us..1ms
divvy breakpoints "$golden/data/small.problem.json" --param dispatch:npu=1ms..1us
divvy breakpoints "$golden/data/small.problem.json" --param beauty=1..2
divvy breakpoints "$golden/data/small.problem.json" --param handover=0.1..10 --shot plot.png --svg plot.svg --size 640x400 -o table.txt
head -c 8 plot.png | od -c | head -n 1
divvy breakpoints "$golden/data/small.problem.json" --param handover=0.1..10 --shot plot.png --size 9x9
