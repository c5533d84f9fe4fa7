#!/bin/bash
# page_browser_test.sh TOOL DEADLOCK RACE MANY HOSTILE: the report pages of three runs; and of one
# whose every text tries to be more than text, and of one with nothing in it.
#
# Always: xmllint reads each page, and finds in it what must be there without JavaScript.
# Where there is a chromium: it opens each page, in light and in dark; page_probe.js looks at the
# lanes and uses them; nothing may come to the console, and no request may leave the page. Chromium
# is no package of ./bazelw, because it is as big as all others together; CHROMIUM names one that is
# not in PATH, and with CHROMIUM=required its absence is a failure.
set -u
tool=$1
declare -A events=([deadlock]=$2 [race]=$3 [many]=$4)
probe=$(dirname "$0")/page_probe.js
dir=$TEST_TMPDIR
failed=0

fail() {
  printf 'FAIL: %s\n' "$1"
  failed=1
}

# has PAGE WHAT XPATH NUMBER: the expression counts at least so many.
has() {
  local n
  n=$(xmllint --nonet --huge --xpath "count($3)" "$dir/$1.html")
  [ "$n" -ge "$4" ] || fail "$1: $n of at least $4: $2"
}

for name in deadlock race many; do
  page=$dir/$name.html
  "$tool" report "${events[$name]}" --output "$page" --chrome "$dir/$name.json" >/dev/null ||
    fail "$name: report failed"
  if ! xmllint --nonet --huge --noout "$page"; then
    fail "$name: the page is not well-formed"
    continue
  fi
  has "$name" "heading with the outcome" '//header//h1/span[@class="outcome"]' 1
  has "$name" "facts" '//header//dl/div' 6
  has "$name" "command to replay" '//code[@id="replay"][contains(., "--seed")]' 1
  has "$name" "story" '//p[@class="story"][string-length(.) > 200]' 1
  has "$name" "critical switch in the story" '//p[@class="story"]/a[@href="#switch-1"]' 1
  has "$name" "critical switches" '//article[@class="switch"]' 1
  has "$name" "stacks" '//article//ol[li]' 2
  has "$name" "rows of the table" '//section[@id="table"]//tbody/tr' 40
  has "$name" "threads in the overview" '//div[@class="strip"]/div[@class="names"]/div' 3
  has "$name" "turns in the overview" '//div[@class="strip"]//svg/rect' 5
  has "$name" "legend" '//ul[@class="legend"]/li' 8
  ! xmllint --nonet --huge --xpath '//@src | //@href' "$page" | grep -v '"#\|"data:,"' ||
    fail "$name: the page refers to something outside of it"
done
printf '{"gort_events":1}\n' >"$dir/empty.events"
"$tool" report "$5" --output "$dir/hostile.html" >/dev/null || fail "hostile: report failed"
"$tool" report "$dir/empty.events" --output "$dir/empty.html" >/dev/null || fail "empty: report failed"
xmllint --nonet --noout "$dir/hostile.html" || fail "hostile: the page is not well-formed"
xmllint --nonet --noout "$dir/empty.html" || fail "empty: the page is not well-formed"
has empty "notice that the file was cut off" '//p[@class="notice"][contains(., "cut off")]' 1
has deadlock "drawn ring" '//section[@id="ring"]//*[local-name()="svg"]/*[@class="lockbox"]' 1
has many "drawn ring" '//section[@id="ring"]//*[local-name()="svg"]/*[@class="lockbox"]' 2
has race "output" '//pre[@id="stderr"][contains(., "WARNING: ThreadSanitizer: data race")]' 1
[ "$(stat -c %s "$dir/many.html")" -lt 4000000 ] || fail "many: the page is too big"

chromium=${CHROMIUM:-}
[ -n "$chromium" ] && [ "$chromium" != required ] || chromium=$(command -v chromium)
if [ -z "$chromium" ]; then
  [ "${CHROMIUM:-}" != required ] || fail "no chromium"
  echo "SKIPPED: the half of this test that opens the pages in a browser: there is no chromium."
  echo "On Debian: apt-get install chromium. The pages were checked by xmllint alone."
  exit $failed
fi

# browse PAGE light|dark: the document in $dir/dom, requests in $dir/net, messages in $dir/log. The
# browser has a home of its own and finds no host: what it asks for on its own account fails.
browse() {
  local scheme=1
  [ "$2" != dark ] || scheme=0
  rm -rf "$dir/home" "$dir/net"
  mkdir -p "$dir/home"
  HOME=$dir/home timeout 100 "$chromium" --headless --no-sandbox --disable-gpu \
    --disable-dev-shm-usage --user-data-dir="$dir/home/data" --no-first-run --disable-sync \
    --disable-background-networking --disable-component-update \
    --host-resolver-rules='MAP * ~NOTFOUND' --log-net-log="$dir/net" \
    --blink-settings=preferredColorScheme=$scheme --window-size=1500,1000 \
    --enable-logging=stderr --virtual-time-budget=5000 --dump-dom "file://$1" \
    >"$dir/dom" 2>"$dir/log"
}
console() { grep -o 'CONSOLE.*' "$dir/log"; }
# Requests of the browser itself have no origin; a page's have one, be it "null".
requests() { grep -o '"initiator":"[^"]*"' "$dir/net" | grep -v 'not an origin'; }

# The test sees what it is there to see.
cat >"$dir/bad.html" <<'END'
<!DOCTYPE html><img src="http://127.0.0.1:9/x.png"><script>nosuch();</script>
END
browse "$dir/bad.html" light
console | grep -q nosuch || fail "an error on the console is not seen"
requests >/dev/null || fail "a request is not seen"

for name in deadlock race many; do
  # The page ends in </body></html>; before that comes the probe.
  sed '/^<\/body>$/,$d' "$dir/$name.html" >"$dir/probed.html"
  { echo '<script>'; cat "$probe"; echo '</script></body></html>'; } >>"$dir/probed.html"
  for scheme in light dark; do
    browse "$dir/probed.html" $scheme || fail "$name, $scheme: the browser failed: $(tail -3 "$dir/log")"
    echo "$name: $(grep -o 'probe: [0-9].*' "$dir/dom" | head -1)"
    grep -q "probe: 0 wrong, $scheme" "$dir/dom" ||
      fail "$name, $scheme: $(sed -n '/<pre id="probe">/,/end of probe/p' "$dir/dom" | grep WRONG)"
    ! console || fail "$name, $scheme: the page complains on the console"
    ! requests || fail "$name, $scheme: the page makes requests"
  done
done
for name in hostile empty; do
  browse "$dir/$name.html" light || fail "$name: the browser failed: $(tail -3 "$dir/log")"
  grep -q 'class="row end"' "$dir/dom" || fail "$name: the lanes have no end"
  ! console || fail "$name: the page complains on the console"
  ! requests || fail "$name: the page makes requests"
done
exit $failed
