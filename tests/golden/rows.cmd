# Results whose length the values decide: assumed, bound, found, written.
divvy info "$golden/data/rows.graph.json" --dim where=5
divvy info "$golden/data/rows.graph.json" --json | sed -n '/assumed_rows/,$p'
divvy partition "$golden/data/rows.graph.json" --platform iphone12 | grep assumed
divvy run "$golden/data/rows.graph.json" --dim where=3 --runs 5 | grep -A9 'rows planned'
divvy convert "$golden/data/rows.graph.json" -o rows.onnx
divvy convert "$golden/data/rows.graph.json" --dim where=3 -o rows.json
grep -o '"params": {"rows": 3}' rows.json
divvy info "$golden/data/rows.graph.json" --dim where=9
divvy info "$golden/data/rows.graph.json" --dim where=0
divvy info "$golden/data/rows.graph.json" --dim act=2
