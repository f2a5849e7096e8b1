#!/bin/sh
# Tries a real Mattermost server for what Shipmate relies on, by hand, before Shipmate is set up on it:
#   MATTERMOST_TOKEN=... sh docs/mattermost_smoke.sh https://chat.example.com team/channel [CA_FILE]
# It writes one post into the channel, edits it, and leaves it there.
set -eu
site=${1%/} channel=$2 ca=${3:-}
: "${MATTERMOST_TOKEN:?set it to the token of the bot account}"

call() { # call METHOD PATH [BODY]
  printf 'header = "Authorization: Bearer %s"\n' "$MATTERMOST_TOKEN" |
    curl --config - --silent --show-error --fail-with-body ${ca:+--cacert "$ca"} --request "$1" \
      ${3:+--header "Content-Type: application/json" --data "$3"} "$site/api/v4$2"
}
field() { sed -n "s/^{.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }
first_id() { sed -n 's/^{"id": *"\([^"]*\)".*/\1/p'; }

me=$(call GET /users/me)
echo "the token is accepted: the bot is @$(printf %s "$me" | field username)"
echo "posts may have $(call GET '/config/client?format=old' | field MaxPostSize) characters"
found=$(call GET "/teams/name/${channel%/*}/channels/name/${channel#*/}" | first_id)
echo "the channel $channel is there"
pending="smoke-$(date +%s)-$$"
body="{\"channel_id\":\"$found\",\"message\":\"Shipmate looks whether it can write here\",\"pending_post_id\":\"$pending\"}"
one=$(call POST /posts "$body" | first_id)
two=$(call POST /posts "$body" | first_id)
[ -n "$one" ] && [ "$one" = "$two" ] || { echo "the same post was made twice: $one, $two" >&2; exit 1; }
echo "a repeated post is one post"
call PUT "/posts/$one/patch" '{"message":"Shipmate can write here"}' >/dev/null
echo "posts can be edited; all is well"
