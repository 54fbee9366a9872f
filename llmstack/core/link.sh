# A connection to host $1 and port $2, by what the image has; $3 is the same for Python. Ends with 127 without a tool.
has() { command -v "$1" >/dev/null 2>&1; }
if has python3; then exec python3 -c "$3" "$1" "$2"; fi
if has bash && has timeout; then exec timeout 3 bash -c ': <>"/dev/tcp/$0/$1"' "$1" "$2"; fi
if has curl; then
    took=$(curl -sS -o /dev/null --connect-timeout 3 -m 4 -w '%{time_connect}' "http://$1:$2/")
    case "$took" in *[1-9]*) exit 0;; *) exit 1;; esac
fi
has wget || exit 127
said=$(wget -T 3 -t 1 -O /dev/null "http://$1:$2/" 2>&1)
[ $? -lt 126 ] || exit 127
case "$said" in
    *refused*|*resolve*|*"bad address"*|*"t connect"*|*"timed out"*|*unreachable*|*"No route"*) echo "$said"; exit 1;;
esac
