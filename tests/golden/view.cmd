divvy view "$golden/data/small.problem.json" --shot a.png --svg a.svg --select conv1 --size 640x400 --dark
divvy view "$golden/data/small.problem.json" --shot b.png --select conv1 --size 640x400 --dark
cmp a.png b.png && echo "the same picture every time"
head -c 4 a.png | tail -c 3
echo
grep -c '<svg' a.svg
