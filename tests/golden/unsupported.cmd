# A platform that cannot run an operator: the answer names operators and platform.
sed 's/"support": {"all": true}/"support": {"all": true, "except": ["aten.mean.dim"]}/; s/"name": "host"/"name": "meanless"/' \
    "$golden/../../datasets/devices/host.json" >meanless.json
divvy partition zoo:mobilenet_v2 --platform ./meanless.json
divvy compare zoo:mobilenet_v2 --platform ./meanless.json --json
divvy partition zoo:mobilenet_v2 --platform iphone12 --targets cpu --json | grep -c cpu:f32
sed '0,/"value": 2.0/s//"value": -2.0/' meanless.json >negative.json
divvy devices ./negative.json
sed 's/"links"/"lings"/' meanless.json >key.json
divvy devices ./key.json
sed 's/"host": "cpu:f32"/"host": "cpu:f99"/' meanless.json >target.json
divvy devices ./target.json
