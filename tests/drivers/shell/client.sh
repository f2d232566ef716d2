#!/usr/bin/env bash
# The command-line clients: `client.sh PROGRAM NAME`, which is mariadb or mysql. What they must be able to do through the proxy.
set -Eeuo pipefail
trap 'echo "failed in line $LINENO" >&2' ERR

PROGRAM=$1 RUN=
TABLE=d_cli_$2
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
if "$PROGRAM" --version | grep -q MariaDB; then
  PLAIN=(--skip-ssl) TLS=(--ssl-ca="$TIDEOVER_CA" --ssl-verify-server-cert) COMPRESSED=(--compress)
else
  PLAIN=(--ssl-mode=DISABLED --get-server-public-key) TLS=(--ssl-mode=VERIFY_CA --ssl-ca="$TIDEOVER_CA")
  COMPRESSED=(--compression-algorithms=zstd --zstd-compression-level=5)
fi

step() { echo "step $*"; }
die() { echo "$*" >&2; exit 1; }
# at PORT OPTIONS...: the client in batch mode; in a subshell it is the subshell's own process.
at() {
  local port=$1; shift
  $RUN "$PROGRAM" --protocol=tcp -h "$TIDEOVER_HOST" -P "$port" -u "$TIDEOVER_USER" \
    --password="${SECRET-$TIDEOVER_PASSWORD}" --default-character-set=utf8mb4 --max-allowed-packet=64M \
    --skip-column-names --batch "$@" "$TIDEOVER_SCHEMA" 2> "$FOLDER/error"
}
sql() { at "$TIDEOVER_PORT" "${PLAIN[@]}" -e "$1" || { cat "$FOLDER/error" >&2; return 1; }; }
expect() { [[ $1 == "$2" ]] || die "$3: '$1' and not '$2'"; }

step login
for how in "${TLS[*]}" "${PLAIN[*]}"; do
  # shellcheck disable=SC2086
  expect "$(at "$TIDEOVER_PORT" $how -e 'SELECT DATABASE()')" "$TIDEOVER_SCHEMA" schema
done
SECRET=wrong at "$TIDEOVER_PORT" "${PLAIN[@]}" -e 'SELECT 1' && die "a wrong password was taken"
grep -q 'ERROR 1045' "$FOLDER/error" || die "a wrong password: $(< "$FOLDER/error")"

step types
through=$(sql 'SELECT * FROM types ORDER BY id')
expect "$through" "$(at "$TIDEOVER_DIRECT_PORT" "${PLAIN[@]}" -e 'SELECT * FROM types ORDER BY id')" rows
sql "DROP TABLE IF EXISTS $TABLE; CREATE TABLE $TABLE LIKE types; INSERT INTO $TABLE SELECT * FROM types"
expect "$(sql "SELECT * FROM $TABLE ORDER BY id")" "$through" "a copy"

step "several statements, variables, errors"
expect "$(sql "SET @a='世界'; SELECT @a; SELECT 1 UNION SELECT 2")" $'世界\n1\n2' "several statements"
sql 'SELEC 1' && die "a mistake was taken"
grep -q 'ERROR 1064' "$FOLDER/error" || die "$(< "$FOLDER/error")"
expect "$(echo 'SELEC 1; SELECT 2' | at "$TIDEOVER_PORT" "${PLAIN[@]}" --force || true)" 2 "on after an error"
printf 'DELIMITER //\nDROP PROCEDURE IF EXISTS %s_p//\nCREATE PROCEDURE %s_p() BEGIN SELECT 1; SELECT 2; END//\nDELIMITER ;\nCALL %s_p();\n' \
  "$TABLE" "$TABLE" "$TABLE" | at "$TIDEOVER_PORT" "${PLAIN[@]}" > "$FOLDER/rows"
expect "$(< "$FOLDER/rows")" $'1\n2' "a procedure"

step "compression, local files, long values"
expect "$(at "$TIDEOVER_PORT" "${PLAIN[@]}" "${COMPRESSED[@]}" -e "SELECT SHA2(REPEAT('x', 1000000), 256), LENGTH(REPEAT('y', 500))")" \
  "$(sql "SELECT SHA2(REPEAT('x', 1000000), 256), 500")" compressed
head -c "$TIDEOVER_LONG" /dev/zero | tr '\0' a > "$FOLDER/long"
sql "DROP TABLE IF EXISTS ${TABLE}_b; CREATE TABLE ${TABLE}_b (b LONGTEXT)"
at "$TIDEOVER_PORT" "${PLAIN[@]}" --local-infile=1 -e "LOAD DATA LOCAL INFILE '$FOLDER/long' INTO TABLE ${TABLE}_b" \
  || die "LOAD DATA LOCAL: $(< "$FOLDER/error")"
expect "$(sql "SELECT LENGTH(b) FROM ${TABLE}_b")" "$TIDEOVER_LONG" "a file"
for how in "${COMPRESSED[*]}" --quick; do
  # shellcheck disable=SC2086
  length=$(at "$TIDEOVER_PORT" "${PLAIN[@]}" $how -e "SELECT b FROM ${TABLE}_b" | wc -c)
  expect "$length" "$((TIDEOVER_LONG + 1))" "a long value ($how)"
done
sql "DROP TABLE ${TABLE}_b"

step cancel
# The client answers an interrupt with KILL QUERY on a connection of its own.
RUN=exec at "$TIDEOVER_PORT" "${PLAIN[@]}" -e 'SELECT SLEEP(100)' > "$FOLDER/rows" < /dev/null &
client=$!
# MySQL refuses to show the list (3854) while somebody's statement holds bytes that are no text.
id=
for _ in {1..300}; do
  id=$(sql "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(100)%' LIMIT 1" 2> /dev/null) \
    || true
  [[ -z $id ]] || break
  sleep 0.1
done
[[ -n $id ]] || die "the statement does not run"
killed=$SECONDS
kill -INT "$client"
wait "$client" || true
[[ $((SECONDS - killed)) -lt 20 ]] || die "it was not interrupted"
echo ready

step load
sql "DROP TABLE IF EXISTS ${TABLE}_l; CREATE TABLE ${TABLE}_l (id INT PRIMARY KEY, n INT NOT NULL)"
# One client for the whole load, fed with statements until our input closes; it stops at the first error.
mkfifo "$FOLDER/statements"
# A client that ends must not end us before we have said why.
trap '' PIPE
at "$TIDEOVER_PORT" "${PLAIN[@]}" --unbuffered < "$FOLDER/statements" > "$FOLDER/rows" &
client=$!
exec 3> "$FOLDER/statements"
count=0
while status=0; read -r -t 0.005 _ || status=$?; [[ $status -gt 128 ]]; do
  count=$((count + 1))
  echo "BEGIN; INSERT INTO ${TABLE}_l VALUES ($count, 0); UPDATE ${TABLE}_l SET n=n+1 WHERE id=$count; COMMIT;" >&3 \
    || die "the client is gone: $(< "$FOLDER/error")"
done
exec 3>&-
wait "$client" || die "the client ended with $?: $(< "$FOLDER/error")"
expect "$(sql "SELECT CONCAT(COUNT(*), ' ', SUM(n), ' ', MAX(id)) FROM ${TABLE}_l")" "$count $count $count" books
echo "done $count"
