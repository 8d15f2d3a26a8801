#!/bin/sh
# The tour that `make demo` gives: mine the sample logs from audio alone, then look at what was found.
set -eu
here=$(dirname "$0")
store=$1

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "Mining $here: audio -> activity -> turns -> faults -> preference pairs"
duplex-miner run "$here/manifest.jsonl" --store "$store"

say "Every fault that was found  (duplex-miner sql ... --store $store)"
duplex-miner sql --store "$store" "
    SELECT dialogue_id, issue_type AS fault, subtype, t_s, end_s, coalesce(status, '-') AS pair
    FROM issues LEFT JOIN (SELECT issue_id, status FROM pairs) USING (issue_id) ORDER BY issue_type, subtype, t_s"

say "One dialogue, both lanes on one clock  (duplex-miner show cut-in --store $store)"
duplex-miner show cut-in --store "$store"

say "What a pair holds: silence and the same reply after the user's turn (chosen), or over it (rejected)"
duplex-miner sql --store "$store" "
    SELECT pair_type || ' ' || subtype AS pair, dialogue_id, t0_s, user_end_s, response_gap_s AS gap_s,
           chosen_speech[1].start_s AS chosen_from, rejected_speech[1].start_s AS rejected_from, reply_check
    FROM pairs WHERE status = 'ready' ORDER BY 1, 2"

say "How far the store is  (duplex-miner status --store $store)"
duplex-miner status --store "$store"
