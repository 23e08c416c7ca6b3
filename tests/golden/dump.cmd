divvy partition "$golden/data/small.graph.json" --dump-after all --json --platform iphone12 --targets cpu | sed '/^{/,$d'
