divvy partitoin zoo:mobilenet_v2
divvy frobnicate
divvy partition zoo:mobilenet_v2 --plattform iphone12
divvy partition zoo:mobilenet_v2 --platform
divvy partition
divvy partition one two
divvy partition x --objective speed
divvy partition x --json=yes
divvy partition x -o a -o b
divvy zoo mobilnet_v2
divvy help partitoin
