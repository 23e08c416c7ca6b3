# Unknown names: each says what there is.
divvy partition zoo:mobilnet_v2
divvy partition "$golden/data/small.graph.json" --platform iphone15por 2>&1 | sed 's/known.*/known .../'
divvy partition "$golden/data/small.problem.json" --strategy ipl 2>&1 | sed 's,? (.*,?,'
divvy partition "$golden/data/small.problem.json" --strategy ilp:nonsense=1
divvy partition "$golden/data/small.problem.json" --pin conv9=npu:f16
divvy partition "$golden/data/small.problem.json" --pin conv1=gpu:f16
divvy partition "$golden/data/small.problem.json" --pin nms=npu:f16
divvy partition "$golden/data/small.problem.json" --platform iphone12
divvy view "$golden/data/small.problem.json" --select conv9 --shot x.png
divvy partition zoo:mobilenet_v2 --dim batch=2
divvy partition "$golden/data/small.graph.json" --dim batch=two
divvy partition "$golden/data/small.graph.json" --set length=3
divvy partition "$golden/data/small.graph.json" --targets tpu
divvy partition "$golden/data/small.graph.json" --deadline soon
divvy partition "$golden/data/small.graph.json" --dump-after fuze
divvy view "$golden/data/small.graph.json" --size 10x10 --shot x.png
ls
