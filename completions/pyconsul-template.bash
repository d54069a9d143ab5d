# bash completion for pyconsul-template. Made by `python -m pyconsul.tools.docs`; do not edit.

_pyconsul_template() {
    local flags='-block-query-wait= -config= -consul-addr= -consul-auth= -consul-retry -consul-retry-attempts= -consul-retry-backoff= -consul-retry-max-backoff= -consul-ssl -consul-ssl-ca-cert= -consul-ssl-ca-path= -consul-ssl-cert= -consul-ssl-key= -consul-ssl-server-name= -consul-ssl-verify -consul-token-file= -consul-token= -consul-transport-dial-keep-alive= -consul-transport-dial-timeout= -consul-transport-disable-keep-alives -consul-transport-max-idle-conns-per-host= -consul-transport-tls-handshake-timeout= -consul= -data= -dedup -default-left-delimiter= -default-right-delimiter= -diff -drop-window= -dry -err-on-failed-lookup -exec-env-allowlist= -exec-env-custom= -exec-env-denylist= -exec-env-pristine -exec-keep -exec-kill-signal= -exec-kill-timeout= -exec-reload-signal= -exec-reload= -exec-splay= -exec-timeout= -exec= -fixture= -haproxy-runtime -haproxy-state-dir= -http-addr-status= -http-addr= -kill-signal= -log-file= -log-format= -log-level= -log-rotate-bytes= -log-rotate-duration= -log-rotate-max-files= -max-drop= -max-stale= -min-instances= -missing-after= -once -parse-only -pid-file= -record= -reload-signal= -restart-hold= -restart-limit= -retry= -rollback -ssl -ssl-ca-cert= -ssl-cert= -ssl-verify -syntax= -syslog -syslog-facility= -syslog-name= -template-error-fatal -template= -token-file= -token= -v -version -wait='
    case ${COMP_WORDS[COMP_CWORD]} in
        -*)
            # shellcheck disable=SC2207
            COMPREPLY=($(compgen -W "$flags" -- "${COMP_WORDS[COMP_CWORD]}"))
            case ${COMPREPLY[0]-} in *=) compopt -o nospace 2>/dev/null ;; esac
            ;;
        *) COMPREPLY=() ;;
    esac
}

complete -o default -F _pyconsul_template pyconsul-template
