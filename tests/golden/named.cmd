# An operator that is known by name alone: placed on the host, the rest around it; not run.
named=$golden/data/named.tflite
cp "$named" named.tflite
divvy info named.tflite | tail -n 3
divvy partition named.tflite | tail -n 1
divvy run named.tflite
divvy convert named.tflite -o named.onnx
divvy convert named.tflite -o named.json
