# bash completion for coppicectl(1). It knows nothing itself: coppicectl tells what can come next.

_coppicectl()
{
	local line=${COMP_LINE:0:COMP_POINT} word quote='' start='' one rest
	local -a words
	word=${line##*[[:space:]]}
	read -ra words <<<"${line%"$word"}"
	[[ $word != [\'\"]* ]] || quote=${word:0:1} word=${word:1}
	# What readline takes for the word begins behind such a character, but with an @.
	if [[ ! $quote ]]; then
		[[ $COMP_WORDBREAKS != *=* || $word != *=* ]] || start=${word%"${word##*=}"}
		[[ $COMP_WORDBREAKS != *@* || $word != *@* ]] || start=${word%@*}
	fi
	COMPREPLY=()
	while IFS=$'\t' read -r one rest; do
		case $one in
		:file)
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "${word#"$rest"}")
			;;
		:program) mapfile -t COMPREPLY < <(compgen -c -- "${word#"$rest"}") ;;
		*) COMPREPLY+=("${one#"$start"}") ;;
		esac
	done < <("${words[0]}" complete -- "${words[@]:1}" "$word" 2>/dev/null)
	# A list goes on, and so does an option that wants a value.
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *[=,] ]] || compopt -o nospace
}
complete -F _coppicectl coppicectl
