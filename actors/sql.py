"""All SQL of the runtime, by name. Lists are passed in binary: a tenth of the text format's cost at 200 rows.

The group commit is put together from legs, so that a batch pays only for the tables it writes; every leg depends on
`own`, the row of the shard as long as its term is ours, locked against a take-over until the commit is through.
"""

from functools import cache

_OWN = "own AS MATERIALIZED (SELECT 1 FROM shards WHERE shard = %(shard)b AND term = %(term)b FOR SHARE)"

_JOURNAL = """
j AS (
    INSERT INTO journal (slot, entity_id, seq, command_id, input_hash, term, at, body, chain, meta, xact)
    SELECT slot, entity_id, seq, command_id, input_hash, %(term)b, at, body, chain, meta,
        (SELECT pg_current_xact_id()::text::bigint)
    FROM unnest(%(slots)b::bigint[], %(entities)b::text[], %(seqs)b::bigint[], %(commands)b::text[],
        %(hashes)b::bytea[], %(times)b::timestamptz[], %(bodies)b::bytea[], %(chains)b::bytea[], %(metas)b::bytea[])
        AS n (slot, entity_id, seq, command_id, input_hash, at, body, chain, meta)
    WHERE EXISTS (SELECT 1 FROM own)
    RETURNING 1
)"""

_TRANSACTIONS = """
transactions_leg AS (
    INSERT INTO transactions AS old (slot, entity_id, transaction_id, seq, origin, source, external_id, status, kind,
        direction, amount, currency, category, occurred_at, recorded_at, sealed)
    SELECT * FROM unnest(%(tx_slots)b::bigint[], %(tx_entities)b::text[], %(tx_ids)b::text[], %(tx_seqs)b::bigint[],
        %(tx_origins)b::text[], %(tx_sources)b::text[], %(tx_externals)b::text[], %(tx_statuses)b::text[],
        %(tx_kinds)b::text[], %(tx_directions)b::text[], %(tx_amounts)b::bigint[], %(tx_currencies)b::text[],
        %(tx_categories)b::text[], %(tx_occurred)b::timestamptz[], %(tx_recorded)b::timestamptz[],
        %(tx_sealed)b::bytea[])
    WHERE EXISTS (SELECT 1 FROM own)
    ON CONFLICT (slot, entity_id, transaction_id) DO UPDATE SET
        seq = EXCLUDED.seq, status = EXCLUDED.status, kind = EXCLUDED.kind, direction = EXCLUDED.direction,
        amount = EXCLUDED.amount, currency = EXCLUDED.currency, category = EXCLUDED.category,
        occurred_at = EXCLUDED.occurred_at, sealed = EXCLUDED.sealed
)"""

_ALERTS = """
alerts_leg AS (
    INSERT INTO alerts (slot, entity_id, alert_id, seq, type, category, at, sealed)
    SELECT * FROM unnest(%(al_slots)b::bigint[], %(al_entities)b::text[], %(al_ids)b::text[], %(al_seqs)b::bigint[],
        %(al_types)b::text[], %(al_categories)b::text[], %(al_times)b::timestamptz[], %(al_sealed)b::bytea[])
    WHERE EXISTS (SELECT 1 FROM own)
    ON CONFLICT (slot, entity_id, alert_id) DO UPDATE SET sealed = EXCLUDED.sealed
)"""

_RECORDS = """
records_leg AS (
    INSERT INTO records (slot, entity_id, kind, record_id, tenant, seq, state, at, amount, currency, sealed)
    SELECT * FROM unnest(%(re_slots)b::bigint[], %(re_entities)b::text[], %(re_kinds)b::text[], %(re_ids)b::text[],
        %(re_tenants)b::text[], %(re_seqs)b::bigint[], %(re_states)b::text[], %(re_times)b::timestamptz[],
        %(re_amounts)b::bigint[], %(re_currencies)b::text[], %(re_sealed)b::bytea[])
    WHERE EXISTS (SELECT 1 FROM own)
    ON CONFLICT (slot, entity_id, kind, record_id) DO UPDATE SET
        seq = EXCLUDED.seq, state = EXCLUDED.state, at = EXCLUDED.at, amount = EXCLUDED.amount,
        currency = EXCLUDED.currency, sealed = EXCLUDED.sealed
)"""

_TIMERS = """
timers_leg AS (
    INSERT INTO timers (slot, entity_id, timer_id, due, body, wakes, tries)
    SELECT slot, entity_id, timer_id, due, body, due, 0 FROM unnest(%(ti_slots)b::bigint[], %(ti_entities)b::text[],
        %(ti_ids)b::text[], %(ti_dues)b::timestamptz[], %(ti_bodies)b::bytea[])
        AS n (slot, entity_id, timer_id, due, body)
    WHERE EXISTS (SELECT 1 FROM own)
    ON CONFLICT (slot, entity_id, timer_id) DO UPDATE SET
        due = EXCLUDED.due, body = EXCLUDED.body, wakes = EXCLUDED.wakes, tries = 0
)"""

_TIMERS_GONE = """
timers_gone_leg AS (
    DELETE FROM timers USING unnest(%(tg_slots)b::bigint[], %(tg_entities)b::text[], %(tg_ids)b::text[])
        AS gone (slot, entity_id, timer_id)
    WHERE timers.slot = gone.slot AND timers.entity_id = gone.entity_id AND timers.timer_id = gone.timer_id
        AND EXISTS (SELECT 1 FROM own)
)"""

_TIMERS_FIRED = """
timers_fired_leg AS (
    DELETE FROM timers
    USING unnest(%(tf_slots)b::bigint[], %(tf_entities)b::text[], %(tf_ids)b::text[], %(tf_dues)b::timestamptz[])
        AS fired (slot, entity_id, timer_id, due)
    WHERE timers.slot = fired.slot AND timers.entity_id = fired.entity_id AND timers.timer_id = fired.timer_id
        AND timers.due = fired.due AND EXISTS (SELECT 1 FROM own)
)"""

_OUTBOX = """
outbox_leg AS (
    INSERT INTO outbox (slot, entity_id, channel, seq, number, outbox_id, body, created_at, wakes, tries)
    SELECT slot, entity_id, channel, seq, number, outbox_id, body, created_at, '-infinity', 0
    FROM unnest(%(ob_slots)b::bigint[], %(ob_entities)b::text[], %(ob_channels)b::text[], %(ob_seqs)b::bigint[],
        %(ob_numbers)b::bigint[], %(ob_ids)b::text[], %(ob_bodies)b::bytea[], %(ob_times)b::timestamptz[])
        AS n (slot, entity_id, channel, seq, number, outbox_id, body, created_at)
    WHERE EXISTS (SELECT 1 FROM own)
)"""

_LEGS = {
    "transactions": _TRANSACTIONS,
    "alerts": _ALERTS,
    "records": _RECORDS,
    "timers": _TIMERS,
    "timers_gone": _TIMERS_GONE,
    "timers_fired": _TIMERS_FIRED,
    "outbox": _OUTBOX,
}


@cache
def commit(legs: tuple[str, ...]) -> str:
    """Return the group commit with these legs beside the journal's: answers how many turns were committed."""
    return f"WITH {', '.join([_OWN, _JOURNAL, *(_LEGS[leg] for leg in legs)])} SELECT count(*) FROM j"


_COMMANDS = """
SELECT 0, j.entity_id, j.command_id, j.seq, j.at, j.input_hash, j.body
FROM unnest(%(c_slots)b::bigint[], %(c_entities)b::text[], %(c_ids)b::text[]) AS q (slot, entity_id, command_id)
CROSS JOIN LATERAL (SELECT * FROM journal WHERE slot = q.slot::int AND entity_id = q.entity_id COLLATE "C"
    AND command_id = q.command_id COLLATE "C") AS j"""

_SEALED = """
SELECT 1, t.entity_id, t.transaction_id, t.seq, t.recorded_at, NULL::bytea, t.sealed
FROM unnest(%(t_slots)b::bigint[], %(t_entities)b::text[], %(t_ids)b::text[]) AS q (slot, entity_id, transaction_id)
CROSS JOIN LATERAL (SELECT * FROM transactions WHERE slot = q.slot::int AND entity_id = q.entity_id COLLATE "C"
    AND transaction_id = q.transaction_id COLLATE "C") AS t"""

_IDENTIFIED = """
SELECT 4, t.entity_id, q.number::text, t.seq, t.recorded_at, NULL::bytea, t.sealed
FROM unnest(%(i_slots)b::bigint[], %(i_entities)b::text[], %(i_origins)b::text[], %(i_sources)b::text[],
    %(i_externals)b::text[]) WITH ORDINALITY AS q (slot, entity_id, origin, source, external_id, number)
CROSS JOIN LATERAL (SELECT * FROM transactions WHERE slot = q.slot::int AND entity_id = q.entity_id COLLATE "C"
    AND origin = q.origin COLLATE "C" AND source = q.source COLLATE "C"
    AND external_id = q.external_id COLLATE "C") AS t"""

_WANTED = """
wanted AS MATERIALIZED (
    SELECT q.slot::int AS slot, q.entity_id COLLATE "C" AS entity_id, s.schema, s.seq, s.chain, s.at, s.body
    FROM unnest(%(e_slots)b::bigint[], %(e_ids)b::text[]) AS q (slot, entity_id)
    LEFT JOIN LATERAL (SELECT * FROM snapshots AS n WHERE slot = q.slot::int AND entity_id = q.entity_id COLLATE "C"
        AND schema = ANY (%(schemas)b::text[]) AND EXISTS (SELECT 1 FROM journal WHERE slot = n.slot
            AND entity_id = n.entity_id AND seq = n.seq AND chain = n.chain)) AS s ON true
)"""
"""A snapshot counts only while the journal holds its very turn: one that is ahead of a restored journal does not."""

_LOADED = """
SELECT 2, entity_id, schema, seq, at, chain, body FROM wanted WHERE seq IS NOT NULL
UNION ALL
SELECT 3, j.entity_id, j.command_id, j.seq, j.at, j.chain, j.body FROM wanted AS w
CROSS JOIN LATERAL (SELECT * FROM journal WHERE slot = w.slot AND entity_id = w.entity_id
    AND seq > coalesce(w.seq, 0)) AS j"""


@cache
def read(entities: bool, commands: bool, transactions: bool, identities: bool) -> str:
    """Return the one question of a shard's iteration.

    Rows: kind (0 command, 1 transaction, 2 snapshot, 3 tail, 4 transaction by identity), entity id, key, seq, time,
    hash, body; in no order. The key of kind 2 is the snapshot's schema, that of kind 4 the place of its identity in the
    question, from 1.
    """
    parts = [_COMMANDS] * commands + [_SEALED] * transactions + [_IDENTIFIED] * identities + [_LOADED] * entities
    return (f"WITH {_WANTED}" if entities else "") + "\nUNION ALL\n".join(parts)


HISTORIES = """
SELECT j.entity_id, j.seq, j.command_id, j.at, j.body, j.chain, j.meta
FROM unnest(%(slots)b::bigint[], %(entities)b::text[], %(afters)b::bigint[]) AS q (slot, entity_id, after)
CROSS JOIN LATERAL (SELECT * FROM journal WHERE slot = q.slot::int AND entity_id = q.entity_id COLLATE "C"
    AND seq > q.after ORDER BY seq LIMIT %(limit)b) AS j"""

TURNS_BEFORE = """
SELECT seq, command_id, at, body, chain FROM journal
WHERE slot = %(slot)b::int AND entity_id = %(entity_id)b COLLATE "C" AND seq < %(before)b
ORDER BY seq DESC LIMIT %(limit)b"""

HEADS = """
SELECT q.entity_id, j.seq
FROM unnest(%(slots)b::bigint[], %(entities)b::text[]) AS q (slot, entity_id)
CROSS JOIN LATERAL (SELECT seq FROM journal WHERE slot = q.slot::int AND entity_id = q.entity_id COLLATE "C"
    ORDER BY seq DESC LIMIT 1) AS j"""

_OF_TENANT = """
split_part(entity_id, '/', 1) = %(tenant)b COLLATE "C" AND strpos(entity_id, '/~') = 0
    AND xact < (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"""
"""Turns of a tenant's users below every transaction that still runs: none with a lower `xact` can appear later. Word
for word the expression and the condition of the index `journal_feed`."""

TURNS_OF_TENANT = f"""
SELECT xact, slot, entity_id, seq, command_id, at, body, chain, meta FROM (
    SELECT *, sum(octet_length(body)) OVER (ORDER BY xact, slot, entity_id, seq
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM (
        SELECT xact, slot, entity_id, seq, command_id, at, body, chain, meta FROM journal
        WHERE {_OF_TENANT.strip()}
            AND (xact, slot, entity_id, seq) > (%(xact)b, %(slot)b::int, %(entity_id)b COLLATE "C", %(seq)b)
        ORDER BY xact, slot, entity_id, seq LIMIT %(limit)b) AS next) AS page
WHERE coalesce(before, 0) < %(bytes)b
ORDER BY xact, slot, entity_id, seq"""
"""`before`: how many bytes of bodies come before a row in its page; the length of a long body is known without reading
it."""

NEWEST_OF_TENANT = f"""
SELECT xact, slot, entity_id, seq FROM journal WHERE {_OF_TENANT.strip()}
ORDER BY xact DESC, slot DESC, entity_id DESC, seq DESC LIMIT 1"""

FIRST_UNSETTLED = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

DUE_TIMERS = """
(SELECT wakes, entity_id, timer_id, due, tries, body FROM timers
WHERE wakes <= %(until)b AND slot + 0 BETWEEN %(first)b AND %(last)b
ORDER BY wakes, due, entity_id, timer_id LIMIT %(limit)b)
UNION ALL
(SELECT wakes, NULL, NULL, NULL, NULL, NULL FROM timers
WHERE wakes > %(until)b AND slot + 0 BETWEEN %(first)b AND %(last)b ORDER BY wakes LIMIT 1)"""
"""What is due, and, with nothing but its time, what wakes next. `slot + 0` keeps the planner on the index by time: by
slot it would read every timer of the shard."""

DROP_TIMERS = f"""WITH {_OWN}, {_TIMERS_FIRED.strip()} SELECT 1"""

PARK_TIMER = f"""
WITH {_OWN}
UPDATE timers SET wakes = %(wakes)b, tries = tries + 1
WHERE slot = %(slot)b AND entity_id = %(entity_id)b AND timer_id = %(timer_id)b AND due = %(due)b
    AND EXISTS (SELECT 1 FROM own)"""

WAITING_MESSAGES = """
WITH heads AS MATERIALIZED (
    SELECT slot, entity_id, channel FROM outbox AS o
    WHERE split_part(channel, '/', 1) = %(channel)b COLLATE "C" AND wakes <= %(until)b
        AND slot + 0 BETWEEN %(first)b AND %(last)b
        AND NOT EXISTS (SELECT 1 FROM outbox AS before WHERE before.slot = o.slot AND before.entity_id = o.entity_id
            AND before.channel = o.channel AND (before.seq, before.number) < (o.seq, o.number))
    ORDER BY wakes, created_at LIMIT %(entities)b
)
SELECT m.entity_id, m.channel, m.seq, m.number, m.outbox_id, m.body, m.created_at, m.tries,
    coalesce((SELECT meta FROM journal AS j WHERE j.slot = m.slot AND j.entity_id = m.entity_id AND j.seq = m.seq), '')
FROM heads AS h CROSS JOIN LATERAL (SELECT * FROM outbox WHERE slot = h.slot AND entity_id = h.entity_id
    AND channel = h.channel ORDER BY seq, number LIMIT %(each)b) AS m"""

DROP_MESSAGES = f"""
WITH {_OWN}
DELETE FROM outbox USING unnest(%(slots)b::bigint[], %(entities)b::text[], %(channels)b::text[], %(seqs)b::bigint[],
    %(numbers)b::bigint[]) AS gone (slot, entity_id, channel, seq, number)
WHERE outbox.slot = gone.slot AND outbox.entity_id = gone.entity_id AND outbox.channel = gone.channel
    AND outbox.seq = gone.seq AND outbox.number = gone.number AND EXISTS (SELECT 1 FROM own)"""

PARK_MESSAGE = f"""
WITH {_OWN}
UPDATE outbox SET wakes = %(wakes)b, tries = tries + 1
WHERE slot = %(slot)b AND entity_id = %(entity_id)b AND channel = %(channel)b AND seq = %(seq)b
    AND number = %(number)b AND EXISTS (SELECT 1 FROM own)"""

SAVE_SNAPSHOTS = """
INSERT INTO snapshots AS old (slot, entity_id, seq, chain, schema, at, body)
SELECT * FROM unnest(%(slots)b::bigint[], %(entities)b::text[], %(seqs)b::bigint[], %(chains)b::bytea[],
    %(schemas)b::text[], %(times)b::timestamptz[], %(bodies)b::bytea[])
ON CONFLICT (slot, entity_id) DO UPDATE SET
    seq = EXCLUDED.seq, chain = EXCLUDED.chain, schema = EXCLUDED.schema, at = EXCLUDED.at, body = EXCLUDED.body
WHERE old.seq < EXCLUDED.seq OR old.schema <> EXCLUDED.schema"""

END_BACKEND = """
SELECT pg_terminate_backend(a.pid, %(wait_ms)b)
FROM shards AS s JOIN pg_stat_activity AS a ON a.pid = s.backend_pid AND a.backend_start = s.backend_start
WHERE s.shard = %(shard)b AND s.term = coalesce(%(term)b::bigint, s.term) AND a.pid <> pg_backend_pid()"""
"""The start time guards against a pid that the system gave to another session since; the term, when it is given,
keeps a stale shard that reconnects from ending the backend of its successor."""

LOCK_LAYOUT_SHARED = "SELECT shards FROM instance FOR SHARE"
LOCK_LAYOUT = "SELECT shards FROM instance FOR UPDATE"
SET_LAYOUT = "UPDATE instance SET shards = %(shards)b"
SHARD_NUMBERS = "SELECT shard FROM shards ORDER BY shard"

RAISE_TERM = """
INSERT INTO shards AS old (shard, term, backend_pid, backend_start, owner, at)
SELECT %(shard)b, 1, a.pid, a.backend_start, %(owner)b, now() FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid()
ON CONFLICT (shard) DO UPDATE SET term = old.term + 1, backend_pid = EXCLUDED.backend_pid,
    backend_start = EXCLUDED.backend_start, owner = EXCLUDED.owner, at = EXCLUDED.at
RETURNING term"""

FENCE_SHARD = "UPDATE shards SET term = term + 1, owner = %(owner)b, at = now() WHERE shard = %(shard)b"

KEEP_TERM = """
UPDATE shards SET backend_pid = a.pid, backend_start = a.backend_start, at = now()
FROM pg_stat_activity AS a
WHERE a.pid = pg_backend_pid() AND shards.shard = %(shard)b AND shards.term = %(term)b
RETURNING 1"""

CONFIRM = "SELECT 1 FROM shards WHERE shard = %(shard)b AND term = %(term)b"

CLOCK = "SELECT clock_ahead_us FROM instance"
ADVANCE_CLOCK = "UPDATE instance SET clock_ahead_us = %(ahead)s WHERE clock_ahead_us < %(ahead)s RETURNING 1"
TIMERS_DUE = "SELECT count(*) FROM timers WHERE wakes <= %(now)s"

SPEND_TICKET = """
INSERT INTO spent_tickets (ticket_id, expires_at) VALUES (%(ticket_id)s, greatest(%(expires_at)s, now()))
ON CONFLICT (ticket_id) DO NOTHING RETURNING 1"""
"""Who redeems a ticket holds it for good: by a clock that is ahead of theirs it must not be long expired."""
PRUNE_TICKETS = "DELETE FROM spent_tickets WHERE expires_at < now() - make_interval(secs => %(keep_s)s::float8)"

STREAM_ID = "SELECT stream_id FROM instance"

TRANSACTIONS_PAGE = """
SELECT transaction_id, occurred_at, seq, sealed FROM transactions
WHERE slot = %(slot)s AND entity_id = %(entity_id)s
    AND (%(before_at)s::timestamptz IS NULL
        OR (occurred_at, transaction_id) < (%(before_at)s::timestamptz, %(before_id)s::text COLLATE "C"))
    AND (%(from_)s::timestamptz IS NULL OR occurred_at >= %(from_)s::timestamptz)
    AND (%(to)s::timestamptz IS NULL OR occurred_at < %(to)s::timestamptz)
    AND (%(category)s::text IS NULL OR category = %(category)s::text)
    AND (%(status)s::text IS NULL OR status = %(status)s::text)
    AND status <> ALL(%(hidden)s::text[])
ORDER BY occurred_at DESC, transaction_id DESC LIMIT %(limit)s"""

TRANSACTION = """
SELECT transaction_id, occurred_at, seq, sealed FROM transactions
WHERE slot = %(slot)s AND entity_id = %(entity_id)s AND transaction_id = %(transaction_id)s"""

ALERTS_PAGE = """
SELECT alert_id, at, seq, sealed FROM alerts
WHERE slot = %(slot)s AND entity_id = %(entity_id)s
    AND (%(before_at)s::timestamptz IS NULL
        OR (at, alert_id) < (%(before_at)s::timestamptz, %(before_id)s::text COLLATE "C"))
ORDER BY at DESC, alert_id DESC LIMIT %(limit)s"""


@cache
def records_page(*, in_state: bool) -> str:
    """Return the query of a page of records: of one state it walks the index, of all it sorts what there is."""
    return f"""
SELECT entity_id, record_id, state, at, amount, currency, seq, sealed FROM records
WHERE tenant = %(tenant)s AND kind = %(kind)s{" AND state = %(state)s" * in_state}
    AND (%(from_)s::timestamptz IS NULL OR at >= %(from_)s::timestamptz)
    AND (%(to)s::timestamptz IS NULL OR at < %(to)s::timestamptz)
    AND (%(after_at)s::timestamptz IS NULL OR (at, entity_id, record_id)
        > (%(after_at)s::timestamptz, %(after_entity)s::text COLLATE "C", %(after_id)s::text COLLATE "C"))
ORDER BY at, entity_id, record_id LIMIT %(limit)s"""


RECORDS_NAMED = """
SELECT entity_id, record_id, state, at, amount, currency, seq, sealed FROM records
WHERE tenant = %(tenant)s AND kind = %(kind)s AND record_id = ANY(%(record_ids)s)"""

RECORD = """
SELECT entity_id, record_id, state, at, amount, currency, seq, sealed FROM records
WHERE tenant = %(tenant)s AND kind = %(kind)s AND record_id = %(record_id)s LIMIT 1"""
