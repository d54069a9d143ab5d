"""The completion scripts of the shells: they ask `pyconsul` itself, so they do not age with its commands.

`script` gives the one for `pyconsul`; `fixed_script` the one for a program whose flags do not change while it is
installed, such as pyconsul-template: these are written into the script.
"""

from __future__ import annotations

from collections.abc import Sequence

#: A flag as it is typed (with a `=` at its end when it takes a value), and its description.
FixedFlag = tuple[str, str]

_BASH = r"""# bash completion for pyconsul. Made by `python -m pyconsul.tools.docs`; do not edit.
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
"""

_ZSH = r"""#compdef pyconsul
# zsh completion for pyconsul. Made by `python -m pyconsul.tools.docs`; do not edit.
# For one shell: eval "$(_PYCONSUL_COMPLETE=zsh_source pyconsul)"

_pyconsul() {
    local line word
    local -a whole whole_shown part part_shown
    for line in "${(@f)$(_PYCONSUL_COMPLETE=zsh command ${(Q)words[1]} "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
        case $line in
            '') ;;
            ':files '*) compset -P "${(b)line#:files }"; _files; return ;;
            ':folders '*) compset -P "${(b)line#:folders }"; _files -/; return ;;
            *)
                word=${line%%$'\t'*}
                if [[ $word == *[/=] ]]; then
                    part+=("$word") part_shown+=("$word${${line#*$'\t'}:+  -- ${line#*$'\t'}}")
                else
                    whole+=("$word") whole_shown+=("$word${${line#*$'\t'}:+  -- ${line#*$'\t'}}")
                fi
                ;;
        esac
    done
    (( $#part )) && compadd -l -S '' -d part_shown -a -- part
    (( $#whole )) && compadd -l -d whole_shown -a -- whole
}

if [ "$funcstack[1]" = _pyconsul ]; then
    _pyconsul "$@"
else
    compdef _pyconsul pyconsul
fi
"""

_FISH = r"""# fish completion for pyconsul. Made by `python -m pyconsul.tools.docs`; do not edit.
# For one shell: _PYCONSUL_COMPLETE=fish_source pyconsul | source

function __pyconsul_complete
    set -l before (commandline -opc)
    set -l current (string unescape -- (commandline -ct))
    set -l program $before[1]
    set -e before[1]
    for line in (_PYCONSUL_COMPLETE=fish command $program $before "$current" 2>/dev/null)
        if string match -q ':files *' -- $line
            set -l prefix (string replace -- ':files ' '' $line)
            for path in (__fish_complete_path (string replace -- "$prefix" '' "$current"))
                echo "$prefix$path"
            end
        else if string match -q ':folders *' -- $line
            set -l prefix (string replace -- ':folders ' '' $line)
            for path in (__fish_complete_directories (string replace -- "$prefix" '' "$current"))
                echo "$prefix$path"
            end
        else
            echo $line
        end
    end
end

complete -c pyconsul -f -a '(__pyconsul_complete)'
"""

_FIXED_BASH = r"""# bash completion for {program}. Made by `python -m pyconsul.tools.docs`; do not edit.

_{function}() {{
    local flags='{flags}'
    case ${{COMP_WORDS[COMP_CWORD]}} in
        -*)
            # shellcheck disable=SC2207
            COMPREPLY=($(compgen -W "$flags" -- "${{COMP_WORDS[COMP_CWORD]}}"))
            case ${{COMPREPLY[0]-}} in *=) compopt -o nospace 2>/dev/null ;; esac
            ;;
        *) COMPREPLY=() ;;
    esac
}}

complete -o default -F _{function} {program}
"""

_FIXED_ZSH = r"""#compdef {program}
# zsh completion for {program}. Made by `python -m pyconsul.tools.docs`; do not edit.

_{function}() {{
    _arguments -A '-*' \
{flags}
        '*:: :_normal'
}}

if [ "$funcstack[1]" = _{program} ]; then
    _{function} "$@"
else
    compdef _{function} {program}
fi
"""


def script(shell: str) -> str:
    """Return the script for `pyconsul` of bash, zsh or fish."""
    return {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell]


def fixed_script(shell: str, program: str, flags: Sequence[FixedFlag]) -> str:
    """Return the script for another program: it offers its flags, and leaves the rest to the shell."""
    return {"bash": _fixed_bash, "zsh": _fixed_zsh, "fish": _fixed_fish}[shell](program, flags)


def _fixed_bash(program: str, flags: Sequence[FixedFlag]) -> str:
    words = " ".join(name for name, _ in flags)
    return _FIXED_BASH.format(program=program, function=program.replace("-", "_"), flags=words)


def _fixed_zsh(program: str, flags: Sequence[FixedFlag]) -> str:
    def line(name: str, about: str) -> str:
        shown = about.replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]")
        value = ":value:_files" if name.endswith("=") else ""
        return f"        '*{name.removesuffix('=') + ('=' if value else '')}[{shown}]{value}' \\"

    return _FIXED_ZSH.format(
        program=program, function=program.replace("-", "_"), flags="\n".join(line(*flag) for flag in flags)
    )


def _fixed_fish(program: str, flags: Sequence[FixedFlag]) -> str:
    lines = [f"# fish completion for {program}. Made by `python -m pyconsul.tools.docs`; do not edit.", ""]
    for name, about in flags:
        shown = about.replace("\\", "\\\\").replace("'", "\\'")
        value = " -r" if name.endswith("=") else ""
        lines.append(f"complete -c {program} -o {name.strip('-=')}{value} -d '{shown}'")
    return "\n".join(lines) + "\n"
