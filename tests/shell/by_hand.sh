#!/bin/sh
# Makes a log with our tools, then verifies it with sha256sum, openssl, base64, awk and sed alone, as
# docs/verify-by-hand.md tells, and sees that each step fails once a byte is changed.

set -eu
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")/../.." && pwd)
command=${QUARK_TRACE_COMMAND:-$here/target/debug/quark-trace}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
QUARK_TRACE_KEYS=$folder/keys
export QUARK_TRACE_KEYS
project=by-hand
log=$folder/traces/$project.qtlog
records=$folder/traces/${project}_trace_log.jsonl
passed=0
failed=0

check() { # check TITLE COMMAND...: counts whether the command succeeds
    title=$1
    shift
    if "$@" > "$folder/output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $title"
        sed 's/^/    /' "$folder/output"
    fi
}

refuses() { ! "$@"; }

for tool in sha256sum openssl base64 awk "$command"; do
    command -v "$tool" > /dev/null || { echo "FAILED: there is no $tool"; echo "0 passed, 1 failed"; exit 1; }
done

# --- the hand's own tools ---

sha256() { sha256sum | cut -c1-64; }

bytes() { # hex on the input, bytes on the output; octal because POSIX printf has no hex
    awk '{ for (i = 1; i <= length($0); i += 2) {
               high = index("0123456789abcdef", substr($0, i, 1)) - 1
               low = index("0123456789abcdef", substr($0, i + 1, 1)) - 1
               value = 16 * high + low
               printf "\\0%o%o%o", int(value / 64), int(value / 8) % 8, value % 8 }
           print "" }' |
        { read -r escaped; printf '%b' "$escaped"; }
}

leaf() { printf '\0%s' "$1" | sha256; }
node() { { printf '\001'; echo "$1$2" | bytes; } | sha256; }
base64_of() { echo "$1" | bytes | base64; }

root_of() { # the RFC 6962 root over the lines of a file
    stack=""
    while IFS= read -r line; do
        hash=$(leaf "$line")
        height=0
        while [ "${stack%%:*}" = "$height" ]; do
            first=${stack%% *}
            stack=${stack#"$first"}
            stack=${stack# }
            hash=$(node "${first#*:}" "$hash")
            height=$((height + 1))
        done
        stack="$height:$hash $stack"
        stack=${stack% }
    done < "$1"
    root=""
    for subtree in $stack; do
        if [ -z "$root" ]; then root=${subtree#*:}; else root=$(node "${subtree#*:}" "$root"); fi
    done
    base64_of "$root"
}

signature_fits() { # signature_fits NOTE VKEY
    { printf '\060\052\060\005\006\003\053\145\160\003\041\000'
      cut -d+ -f3- "$2" | base64 -d | tail -c 32; } > "$folder/key.der"
    head -3 "$1" > "$folder/body"
    tail -1 "$1" | awk '{ print $3 }' | base64 -d 2> /dev/null | tail -c 64 > "$folder/signature"
    openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$folder/key.der" \
        -in "$folder/body" -sigfile "$folder/signature"
}

key_hash_fits() { # the hash in a verifier key is that of its name and key
    name=$(sed 's/+.*//' "$1")
    hash=$({ printf '%s\n' "$name"; cut -d+ -f3- "$1" | base64 -d; } | sha256 | cut -c1-8)
    [ "$(awk -F+ '{ print $2 }' "$1")" = "$hash" ]
}

root_is_signed() { # root_is_signed LEDGER CHECKPOINT
    head -n "$(sed -n 2p "$2")" "$1" > "$folder/covered"
    [ "$(wc -l < "$folder/covered")" -eq "$(sed -n 2p "$2")" ] &&
        [ "$(root_of "$folder/covered")" = "$(sed -n 3p "$2")" ]
}

records_fit() { # records_fit RECORDS LEDGER: each line has its entry, in order
    grep -E '^record(-adopted)? ' "$2" | sed 's/.*sha256:\([0-9a-f]*\).*/\1/' > "$folder/named"
    while IFS= read -r line; do printf %s "$line" | sha256; done < "$1" > "$folder/found"
    cmp "$folder/named" "$folder/found"
}

objects_fit() { # every object that is no record lies under its digest
    grep -vE '^record' "$log/ledger" | sed 's/.*sha256:\(..\)\([0-9a-f]\{62\}\).*/\1 \2/' |
        while read -r first rest; do
            [ "$(sha256 < "$log/objects/$first/$rest")" = "$first$rest" ] || exit 1
        done
}

proof_holds() { # proof_holds PROOF ENTRY
    note=$folder/proof-note
    sed '1,/^$/d' "$1" > "$note"
    [ "$(sed -n 1p "$1")" = "c2sp.org/tlog-proof@v1" ] || return 1
    index=$(sed -n 's/^index //p' "$1")
    last=$(($(sed -n 2p "$note") - 1))
    hash=$(leaf "$2")
    sed -n '3,/^$/p' "$1" | sed '/^$/d' > "$folder/path"
    while read -r sibling; do
        [ "$last" -gt 0 ] || return 1
        sibling=$(echo "$sibling" | base64 -d | od -An -v -tx1 | tr -d ' \n')
        if [ $((index % 2)) -eq 1 ] || [ "$index" -eq "$last" ]; then
            hash=$(node "$sibling" "$hash")
            while [ $((index % 2)) -eq 0 ] && [ "$index" -gt 0 ]; do
                index=$((index / 2))
                last=$((last / 2))
            done
        else
            hash=$(node "$hash" "$sibling")
        fi
        index=$((index / 2))
        last=$((last / 2))
    done < "$folder/path"
    [ "$last" -eq 0 ] && [ "$(base64_of "$hash")" = "$(sed -n 3p "$note")" ] &&
        signature_fits "$note" "$log/log.vkey"
}

changed() { # changed FILE FROM TO: a copy of the file with one thing changed
    sed "s/$2/$3/" "$1" > "$folder/changed"
    ! cmp -s "$1" "$folder/changed" || { echo "nothing was changed in $1"; exit 1; }
    echo "$folder/changed"
}

# --- a log of ours ---

"$command" init $project --file "$folder/sheet.yaml" 2> /dev/null
"$command" open "$folder/traces" $project --sheet "$folder/sheet.yaml" > /dev/null
for round in 1 2 3 4 5 6 7; do
    "$command" log "$folder/traces" $project client_round round=$round loss=0.$round > /dev/null
done
"$command" log "$folder/traces" $project evaluation 'note=Köln "x" \ NaN' loss=NaN > /dev/null
"$command" amend "$folder/traces" $project domain=Insurance --by 'Jane Doe' --reason moved > /dev/null
"$command" seal "$folder/traces" $project > /dev/null

# --- by hand ---

check "entry 2 is the first record" test \
    "$(sed -n 3p "$log/ledger")" = "record sha256:$(head -1 "$records" | tr -d '\n' | sha256)"
check "every record has its entry, in order" records_fit "$records" "$log/ledger"
check "every other object lies under its digest" objects_fit
check "the sheet that is shown is the last of the ledger" test \
    "$(grep '^sheet ' "$log/ledger" | tail -1)" = \
    "sheet sha256:$(sha256 < "$folder/traces/${project}_fact_sheet.json")"
check "the checkpoint covers the whole ledger" test \
    "$(sed -n 2p "$log/checkpoint")" = "$(wc -l < "$log/ledger")"
check "the root is the one that was signed" root_is_signed "$log/ledger" "$log/checkpoint"
check "the signature fits" signature_fits "$log/checkpoint" "$log/log.vkey"
check "the key's hash fits its name" key_hash_fits "$log/log.vkey"
check "the origin names the key" test "$(sed 's/[.].*//' "$log/checkpoint" | head -1)" = \
    "l-$(cut -d+ -f3- "$log/log.vkey" | base64 -d | tail -c 32 | sha256 | cut -c1-16)"
for index in 0 4 10; do
    "$command" prove "$folder/traces" $project $index --out "$folder/proof" > /dev/null 2>&1
    entry=$(sed -n $((index + 1))p "$log/ledger")
    check "the proof of entry $index holds" proof_holds "$folder/proof" "$entry"
    check "it does not hold for another entry" refuses proof_holds "$folder/proof" "$entry x=y"
done
check "our own verdict is the same" "$command" verify "$folder/traces" $project --level L2

# --- and it fails when something was changed ---

check "a changed record is noticed" refuses records_fit \
    "$(changed "$records" 'round": 3' 'round": 4')" "$log/ledger"
check "a changed entry is noticed" refuses root_is_signed \
    "$(changed "$log/ledger" '^record sha256:' 'record-adopted sha256:')" "$log/checkpoint"
check "a removed entry is noticed" refuses root_is_signed \
    "$(changed "$log/ledger" '^log.*' '')" "$log/checkpoint"
sed 5d "$log/ledger" > "$folder/shorter"
check "a shorter ledger is noticed" refuses root_is_signed "$folder/shorter" "$log/checkpoint"
check "a changed size is noticed" refuses signature_fits \
    "$(changed "$log/checkpoint" '^11$' '10')" "$log/log.vkey"
check "a changed proof is noticed" refuses proof_holds \
    "$(changed "$folder/proof" '^index 10$' 'index 9')" "$(sed -n 11p "$log/ledger")"
sed -i 's/"round": 3/"round": 4/' "$records"
check "our own verdict is tampered" test \
    "$("$command" verify "$folder/traces" $project > /dev/null 2>&1 || echo $?)" = 1

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
