divvy info zoo:mobilenet_v2
divvy info "$golden/data/small.graph.json" --json
divvy info "$golden/data/small.graph.json" - <"$golden/data/small.graph.json"
divvy info "$golden/data/small.problem.json"
