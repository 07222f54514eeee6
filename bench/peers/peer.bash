# What the peers share: options, certificate, pid file, and that everything a script started ends with it.
# To be sourced, not run.
set -euo pipefail

peers=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
me=${0##*/}
declare -A option=()
server="" database="" end_signal=TERM
temporary=()

refuse() { echo "$me: $1" >&2; exit 2; }

# Takes `--name value` for every name that `option` has a default for. The script says `usage`.
read_options() {
    while [ $# -gt 0 ]; do
        case $1 in --help|-h) usage; exit 0 ;; esac
        local name=${1#--}
        if [ "$name" = "$1" ] || [ -z "${option[$name]+known}" ]; then usage >&2; refuse "unknown: $1"; fi
        [ $# -gt 1 ] || refuse "$1 lacks its value"
        option[$name]=$2
        shift 2
    done
    # Whoever starts several servers has only one port for each to choose; the others follow it.
    local port=${option[port]}
    case $port in ''|*[!0-9]*) refuse "--port $port: write a number" ;; esac
    for name in direct-tls-port database-port; do
        port=$((port + 1))
        [ -n "${option[$name]-set}" ] || option[$name]=$port
    done
    for name in direct-tls-port database-port accounts; do
        case ${option[$name]-0} in ''|*[!0-9]*) refuse "--$name ${option[$name]}: write a number" ;; esac
    done
}

# one_of NAME VALUE …: refuses an option that is none of the values.
one_of() {
    local name=$1 value
    shift
    for value; do [ "${option[$name]}" != "$value" ] || return 0; done
    refuse "--$name ${option[$name]}: write ${*/%/,}"
}

# Refuses to begin without these Debian packages.
need() {
    local package missing=""
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
    done
    [ -z "$missing" ] || refuse "not installed:$missing. Write bench/peers/install$missing"
}

finish() {
    trap - EXIT
    trap '' INT TERM
    # The server first: a database waits for nobody's last words.
    for pid in $server $database; do
        kill -"$end_signal" "$pid" 2>/dev/null || continue
        for _ in {1..600}; do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null && echo "$me: did not end within a minute, so it was killed" >&2
        wait "$pid" 2>/dev/null || true
    done
    [ ${#temporary[@]} -eq 0 ] || rm -rf "${temporary[@]}"
    [ -z "${option[pid-file]}" ] || rm -f "${option[pid-file]}"
}
trap finish EXIT
trap 'exit 0' INT TERM

# Sets `data` to the folder that keeps everything: the one asked for, or one that ends with the run.
open_data() {
    data=${option[data]}
    [ -n "$data" ] || { data=$(mktemp -d "${TMPDIR:-/tmp}/bench-$me-XXXXXX"); temporary+=("$data"); }
    mkdir -p "$data"
    data=$(cd "$data" && pwd)
    [ -z "${option[pid-file]}" ] || rm -f "${option[pid-file]}"
    ulimit -n "$(ulimit -Hn)"
}

# A P-256 certificate for localhost, the kind that is handed out today: $data/key.pem and $data/cert.pem.
make_certificate() {
    [ -f "$data/key.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
        -keyout "$data/key.pem" -out "$data/cert.pem" 2>/dev/null
}

# What the accounts and the store were made for. Anything else in the folder is refused rather than measured.
made() { echo "${option[prefix]} ${option[accounts]} ${option[password]} ${option[archive]-} ${option[database]-}"; }
is_made() {
    [ -f "$data/made" ] || return 1
    [ "$(cat "$data/made")" = "$(made)" ] || refuse "$data holds other accounts or another store: write another --data, or remove it"
}
note_made() { made >"$data/made"; }

# The rest of the command, in the place of a subshell: it ends with this script, however that ends.
tied() { exec setpriv --pdeathsig "$end_signal" "$@"; }

# await PID PORT LOG …: waits until the process listens; its logs are shown if it ends instead.
await() {
    local pid=$1 port=$2
    shift 2
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || { cat "$@" >&2 2>/dev/null || true; exit 1; }
        sleep 0.05
    done
}

# Starts a PostgreSQL for this server alone and sets `uri`.
# shellcheck disable=SC2034
start_database() {
    local kept=()
    [ -z "${option[data]}" ] || kept=(--data "$data/postgres")
    # A kept folder has that of the last start.
    rm -f "$data/postgres.out"
    tied "$peers/postgres" --port "${option[database-port]}" "${kept[@]}" >"$data/postgres.out" 2>&1 &
    database=$!
    until uri=$(grep -so 'postgres://.*' "$data/postgres.out"); do
        kill -0 "$database" 2>/dev/null || { cat "$data/postgres.out" >&2; exit 1; }
        sleep 0.05
    done
}

# serve NAME: writes the pid file, says that the server is up, and waits for its end.
serve() {
    local pids=$server
    [ -z "$database" ] || pids="$pids $(sed -n 's/.*pid \([0-9]*\).*/\1/p' "$data/postgres.out")"
    if [ -n "${option[pid-file]}" ]; then
        # Whoever waits for the file finds it whole.
        tr ' ' '\n' <<<"$pids" >"${option[pid-file]}.new"
        mv "${option[pid-file]}.new" "${option[pid-file]}"
    fi
    echo "$1: port ${option[port]} (STARTTLS) and ${option[direct-tls-port]} (direct TLS), pid $pids," \
        "accounts ${option[prefix]}0 to ${option[prefix]}$((option[accounts] - 1))"
    wait "$server"
}
