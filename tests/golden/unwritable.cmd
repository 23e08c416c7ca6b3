# Outputs that cannot be written, and nothing half-written.
small=$golden/data/small.problem.json
divvy partition "$small" -o missing/plan.json
mkdir folder
divvy partition "$small" -o folder
divvy partition "$small" --write-lp missing/x.lp
divvy partition "$small" --write-lp x.txt
divvy view "$small" --shot missing/x.png
divvy view "$small" --svg missing/x.svg
divvy simulate "$small" --chrome-trace missing/x.json
divvy zoo >/dev/full
echo "status $?"
divvy zoo >&-
echo "status $?"
{ divvy zoo; echo "status $?" >&2; } | :
ls
