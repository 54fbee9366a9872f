_llmstack() {
  local cur=${COMP_WORDS[COMP_CWORD]} line=${COMP_LINE:0:COMP_POINT} IFS=$'\n'
  case $cur in =|:|@) cur= ;; esac
  local word=${line##* }
  COMPREPLY=($(llmstack --complete -- "$line" 2>/dev/null))
  COMPREPLY=("${COMPREPLY[@]#"${word%"$cur"}"}")
}
complete -o default -F _llmstack llmstack
