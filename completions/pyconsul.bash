# bash completion for pyconsul. Made by `python -m pyconsul.tools.docs`; do not edit.
# For one shell: eval "$(_PYCONSUL_COMPLETE=bash_source pyconsul)"

_pyconsul() {
    local line=${COMP_LINE:0:COMP_POINT} blank word last="" line_words=() i
    # bash splits words at = and : as well; put together again what no blank separates.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        blank=${line%%[![:blank:]]*}
        line=${line#"$blank"}
        [ ${#line} -lt ${#word} ] && word=$line
        line=${line#"$word"}
        if [ -n "$blank" ] || [ "$i" -eq 0 ]; then
            line_words+=("$word")
        else
            line_words[${#line_words[@]} - 1]+=$word
        fi
        last=$word
    done
    case $last in = | :) last="" ;; esac
    # What is typed may be quoted; pyconsul is asked about the words themselves.
    local current=${line_words[${#line_words[@]} - 1]} quoted=""
    case $current in [\"\']*) quoted=yes ;; esac
    line_words=("${line_words[@]//[\\\"\']/}")
    current=${line_words[${#line_words[@]} - 1]}
    local typed=${current%"${last//[\\\"\']/}"}
    COMPREPLY=()
    while IFS= read -r word; do
        case $word in
            ":files "* | ":folders "*) _pyconsul_paths "$word" "$current" "$typed" ;;
            *)
                case $word in */ | *=) compopt -o nospace 2>/dev/null ;; esac
                word=${word#"$typed"}
                [ -n "$quoted" ] || word=$(printf %q "$word")
                COMPREPLY+=("$word")
                ;;
        esac
    done < <(_PYCONSUL_COMPLETE=bash "${COMP_WORDS[0]}" "${line_words[@]:1}" 2>/dev/null)
}

_pyconsul_paths() {
    local kind=-f prefix=${1#:* } path
    [ "${1%% *}" = :folders ] && kind=-d
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do
        COMPREPLY+=("${path#"${3#"$prefix"}"}")
    done < <(compgen "$kind" -- "${2#"$prefix"}")
}

complete -F _pyconsul pyconsul
