
sha256() { sha256sum | cut -c1-64; }
bytes() { awk '{ for (i = 1; i <= length($0); i += 2) { d = "0123456789abcdef"
    v = 16 * (index(d, substr($0, i, 1)) - 1) + index(d, substr($0, i + 1, 1)) - 1
    printf "\\0%o%o%o", int(v / 64), int(v / 8) % 8, v % 8 } print "" }' |
    { read -r escaped; printf '%b' "$escaped"; }; }
node() { { printf '\001'; echo "$1$2" | bytes; } | sha256; }

# 1. The record is the one that the entry names.
case $entry in *"sha256:$(sha256 < record.json)"*) echo "record: fits" ;; *) echo "record: DIFFERS" ;; esac

# 2. The entry is a leaf of the tree; hash it upwards along the proof.
sed '1,/^$/d' proof.txt > note
index=$(sed -n 's/^index //p' proof.txt); last=$(($(sed -n 2p note) - 1))
hash=$(printf '\0%s' "$entry" | sha256)
sed -n '3,/^$/p' proof.txt | sed '/^$/d' > path
while read -r sibling; do
    sibling=$(echo "$sibling" | base64 -d | od -An -v -tx1 | tr -d ' \n')
    if [ $((index % 2)) -eq 1 ] || [ "$index" -eq "$last" ]; then
        hash=$(node "$sibling" "$hash")
        while [ $((index % 2)) -eq 0 ] && [ "$index" -gt 0 ]; do
            index=$((index / 2)); last=$((last / 2))
        done
    else
        hash=$(node "$hash" "$sibling")
    fi
    index=$((index / 2)); last=$((last / 2))
done < path
[ "$(echo "$hash" | bytes | base64)" = "$(sed -n 3p note)" ] && echo "root: fits" || echo "root: DIFFERS"

# 3. The key signed that root.
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'
  echo "$key" | cut -d+ -f3- | base64 -d | tail -c 32; } > key.der
head -3 note > body
tail -1 note | awk '{ print $3 }' | base64 -d | tail -c 64 > signature
openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey key.der -in body -sigfile signature
