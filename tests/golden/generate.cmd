divvy generate resnet --units 5 --targets 2 --seed 7
divvy generate random --units 40 --width 3 --seed 5 -o random.json
divvy partition random.json --json | grep '"outcome"'
divvy generate transformer --units 68 | divvy partition - | sed 's/, [0-9.]* [mu]*s;/, TIME;/' | head -n 3
divvy generate cahin
divvy generate chain --width 3
divvy generate chain --units 0
divvy generate
