# fish completion for pyconsul. Made by `python -m pyconsul.tools.docs`; do not edit.
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
