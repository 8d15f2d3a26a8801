#!/bin/sh
# The tour that `make demo` gives: mine the sample logs from audio to pairs, then look at what was found.
set -eu
here=$(dirname "$0")
store=$1

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "Mining $here: audio -> speech -> words -> turns -> faults -> better replies -> preference pairs"
echo "Speech and words are found here and now. No language model runs: what the judge and the rewriter say is recorded"
echo "($here/recorded/answers.jsonl, written by hand); with a model: docs/judge-servers.md"
duplex-miner run "$here/manifest.jsonl" --store "$store" --set judge.client=recorded --set rewrite.client=recorded \
    --set "clients.answers=$here/recorded/answers.jsonl"

say "Every fault that was found  (duplex-miner sql ... --store $store)"
duplex-miner sql --store "$store" "
    SELECT dialogue_id, pair_type AS fault, subtype, axis AS content_axis, t0_s, status, chosen_source
    FROM pairs ORDER BY pair_type, subtype, dialogue_id, t0_s"

say "One dialogue, both lanes on one clock  (duplex-miner show off-topic --store $store)"
duplex-miner show off-topic --store "$store"

say "Why the judge (recorded) calls that reply a fault, and what the model should have said (recorded)"
duplex-miner sql --store "$store" "
    SELECT axis, score, justification FROM verdicts
    WHERE dialogue_id = 'off-topic' AND problematic ORDER BY score, axis"
duplex-miner sql --store "$store" "
    SELECT original, improved_response, improvement FROM rewrites
    WHERE dialogue_id = 'off-topic' AND status = 'rewritten'"

say "What a pair of timing holds: silence and the reply after the user's turn (chosen), or over it (rejected)"
duplex-miner sql --store "$store" "
    SELECT pair_type || ' ' || subtype AS pair, dialogue_id, t0_s, user_end_s, response_gap_s AS gap_s,
           chosen_speech[1].start_s AS chosen_from, rejected_speech[1].start_s AS rejected_from, reply_check
    FROM pairs WHERE status = 'ready' AND timing IS NOT NULL ORDER BY 1, 2, 3"

say "How this corpus takes turns, beside people's  (duplex-miner figures --store $store)"
duplex-miner figures --store "$store"

say "How far the store is  (duplex-miner status --store $store)"
duplex-miner status --store "$store"
