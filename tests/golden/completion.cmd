# The scripts are shell programs that parse, and know the options.
divvy completion bash >script.bash && bash -n script.bash && echo "bash reads it"
grep -c -- --chrome-trace script.bash
cat script.bash - <<'END' >try.bash
complete_line() {
    COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    [[ $1 != *' ' ]] || COMP_CWORD=$((COMP_CWORD + 1))
    COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
    _divvy
    echo "$1 -> ${COMPREPLY[*]}"
}
complete_line 'divvy par'
complete_line 'divvy partition --write'
complete_line 'divvy partition zoo:mobilenet_v2 --platform iphone1'
complete_line 'divvy partition zoo:squeeze'
complete_line 'divvy view --color al'
complete_line 'divvy completion z'
END
bash try.bash
divvy completion zsh | head -n 3
divvy completion fish
