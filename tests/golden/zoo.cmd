divvy zoo mobilenet_v2 resnet50
divvy zoo squeezenet1_1 --json
