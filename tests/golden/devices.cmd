divvy devices | cut -c 1-50
divvy devices iphone12 | sed 's/   *.*//' | sort -u | head -n 30
divvy devices iphone12 --json | grep '"targets"'
divvy devices iphone99
