-- One row: what a learner did of a kind in the forum of a course on a day.
-- From: events about discussions.
-- Key: the course, the day, the verb and the learner. Acts are counted as distinct statements.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: course_key, day, verb, actor_id
-- Columns:
--   course_key String: Key of the course.
--   day Date: Day, UTC.
--   verb LowCardinality(String): "posted", "viewed", "voted" or another.
--   actor_id String: Id of the learner in statements.
--   acts AggregateFunction(uniqExact, UUID): Distinct statements.
SELECT
    course_key,
    toDate(emission_time, 'UTC') AS day,
    verb,
    actor_id,
    uniqExactState(event_id) AS acts
FROM {source}
WHERE object_type = 'discussion'
GROUP BY course_key, day, verb, actor_id
