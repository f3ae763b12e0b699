-- One row: how far a learner has completed a block.
-- From: events, "progressed".
-- Key: the course, the block and the learner. The newest is by the moment of the act.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: course_key, usage_key, actor_id
-- Columns:
--   course_key String: Key of the course.
--   usage_key String: Usage key of the block.
--   actor_id String: Id of the learner in statements.
--   latest AggregateFunction(argMax, Float64, Tuple(DateTime64(6, 'UTC'), UUID)): Completion, from 0 to 100.
--   last_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')): Last moment.
SELECT
    course_key,
    object_id AS usage_key,
    actor_id,
    argMaxState(assumeNotNull(progress), (identity(emission_time), event_id)) AS latest,
    max(emission_time) AS last_at
FROM {source}
WHERE verb = 'progressed' AND isNotNull(progress) AND match(object_id, '^(ccx-)?block-v1:')
GROUP BY course_key, usage_key, actor_id
