divvy convert "$golden/data/small.graph.json" -o small.dot
cat small.dot
divvy convert "$golden/data/small.graph.json" -o same.graph.json --quiet
divvy convert same.graph.json -o again.graph.json --quiet
cmp same.graph.json again.graph.json && divvy info again.graph.json | tail -n +2 >again.info
divvy info "$golden/data/small.graph.json" | tail -n +2 | cmp - again.info && echo same
divvy convert zoo:mobilenet_v2 -o lowered.graph.json --lowered
divvy convert "$golden/data/small.graph.json" -o small.onnx
divvy info small.onnx | tail -n +2
divvy convert zoo:mobilenet_v2 -o structure.onnx --weights none
divvy convert zoo:squeezenet1_1 -o squeezenet.onnx --weights beside --quiet && ls squeezenet.onnx*
divvy convert zoo:sd_unet -o large.onnx
divvy convert zoo:mobilenet_v2 -o lowered.json --weights none
divvy convert zoo:mobilenet_v2 -o mobilenet.png
divvy convert zoo:mobilenet_v2
divvy convert "$golden/data/small.problem.json" -o problem.dot
