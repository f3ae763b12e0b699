-- One row: a learner asked for a hint or for the answer of a problem.
-- From: events, "asked".
-- Key: the course, the problem, what was asked for, and the learner.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: course_key, problem_key, kind, actor_id
-- Columns:
--   course_key String: Key of the course.
--   problem_key String: Usage key of the problem.
--   kind LowCardinality(String): "answer" or "hint".
--   actor_id String: Id of the learner in statements.
--   first_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')): First time.
SELECT
    course_key,
    object_id AS problem_key,
    if(object_type = 'solution', 'answer', 'hint') AS kind,
    actor_id,
    min(emission_time) AS first_at
FROM {source}
WHERE verb = 'asked' AND match(object_id, '^(ccx-)?block-v1:')
GROUP BY course_key, problem_key, kind, actor_id
