divvy convert "$golden/data/small.graph.json" -o small.dot
cat small.dot
divvy convert "$golden/data/small.graph.json" -o same.graph.json --quiet
divvy convert same.graph.json -o again.graph.json --quiet
cmp same.graph.json again.graph.json && divvy info again.graph.json | tail -n +2 >again.info
divvy info "$golden/data/small.graph.json" | tail -n +2 | cmp - again.info && echo same
divvy convert zoo:mobilenet_v2 -o lowered.graph.json --lowered
divvy convert zoo:mobilenet_v2 -o mobilenet.png
divvy convert zoo:mobilenet_v2
divvy convert "$golden/data/small.problem.json" -o problem.dot
