# Well-formed JSON, impossible networks.
small=$golden/data/small.graph.json
sed 's/"inputs": \["x", "w"\]/"inputs": ["z", "w"]/' "$small" >cycle.json
divvy partition cycle.json
sed 's/\[1, 3, 8, 8\]/[1, 3, 9007199254740992, 9007199254740992]/' "$small" >huge.json
divvy partition huge.json
sed 's/\[1, 3, 8, 8\]/[1, 5, 8, 8]/' "$small" >mismatch.json
divvy partition mismatch.json
sed 's/aten.relu.default/aten.nonsense/' "$small" >kind.json
divvy partition kind.json
sed 's/"outputs": \["z"\]}$/"outputs": ["q"]}/' "$small" >output.json
divvy partition output.json
sed 's/"kind": "aten.relu.default"/"kind": "divvy.opaque", "source": "Frob", "reason": "operator Frob of opset 99 is not known"/' "$small" >opaque.json
divvy info opaque.json | tail -n 4
divvy partition opaque.json
