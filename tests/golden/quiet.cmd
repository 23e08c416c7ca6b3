# Without a terminal there is no bar, and machine output never mixes with notes.
divvy partition "$golden/data/small.problem.json" --json 2>notes >answer
wc -c <notes | tr -d ' '
head -c 1 answer
echo
NO_COLOR=1 divvy zoo mobilenet_v2 --color always | grep -c "$(printf '\033')"
divvy zoo mobilenet_v2 --color auto | grep -c "$(printf '\033')"
