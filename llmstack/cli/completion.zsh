#compdef llmstack
_llmstack() {
  local -a found
  found=("${(@f)$(llmstack --complete -- "${(j: :)${(@)words[1,CURRENT]}}" 2>/dev/null)}")
  if [[ -n $found ]]; then compadd -- $found; else _files; fi
}
compdef _llmstack llmstack
