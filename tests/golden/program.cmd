divvy info "$golden/data/delegated.pte"
divvy partition "$golden/data/delegated.pte"
