divvy help --man >divvy.1
head -n 3 divvy.1 | sed 's/divvy [0-9.]*"/divvy VERSION"/'
grep -c '^\.TP' divvy.1 | awk '{ print ($1 > 40 ? "every verb and option" : $1) }'
grep -A 1 'write..lp' divvy.1
