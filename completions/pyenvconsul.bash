# bash completion for pyenvconsul. Made by `python -m pyconsul.tools.docs`; do not edit.

_pyenvconsul() {
    local flags='-allow-name= -config= -consul-addr= -consul-auth= -consul-retry -consul-retry-attempts= -consul-retry-backoff= -consul-retry-max-backoff= -consul-ssl -consul-ssl-ca-cert= -consul-ssl-ca-path= -consul-ssl-cert= -consul-ssl-key= -consul-ssl-server-name= -consul-ssl-verify -consul-token-file= -consul-token= -consul-transport-dial-keep-alive= -consul-transport-dial-timeout= -consul-transport-disable-keep-alives -consul-transport-max-idle-conns-per-host= -consul-transport-tls-handshake-timeout= -consul= -exec-env-allowlist= -exec-env-custom= -exec-env-denylist= -exec-env-pristine -exec-kill-signal= -exec-kill-timeout= -exec-reload-signal= -exec-splay= -exec-timeout= -exec= -http-addr= -kill-signal= -log-file= -log-format= -log-level= -log-rotate-bytes= -log-rotate-duration= -log-rotate-max-files= -max-stale= -no-prefix -once -pid-file= -prefix= -print= -pristine -reload-signal= -restart-hold= -restart-limit= -safe-names -sanitize -service-format-address= -service-format-id= -service-format-name= -service-format-port= -service-format-tag= -service-query= -ssl -ssl-ca-cert= -ssl-cert= -ssl-verify -syslog -syslog-facility= -syslog-name= -token-file= -token= -upcase -v -version -wait='
    case ${COMP_WORDS[COMP_CWORD]} in
        -*)
            # shellcheck disable=SC2207
            COMPREPLY=($(compgen -W "$flags" -- "${COMP_WORDS[COMP_CWORD]}"))
            case ${COMPREPLY[0]-} in *=) compopt -o nospace 2>/dev/null ;; esac
            ;;
        *) COMPREPLY=() ;;
    esac
}

complete -o default -F _pyenvconsul pyenvconsul
