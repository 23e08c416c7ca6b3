divvy | sed '/formats that can be read/,/^$/d'
divvy --version | sed 's/[0-9][0-9.]*/VERSION/'
divvy partition --help
divvy help calibrate
divvy completion --help
