-- One row: a learner did something of a kind in a course on a day.
-- From: events. Enrollments and grades are not acts of visitors and are left out.
-- Key: the course, the day, the learner and the kind. First and last moments are a minimum and a maximum, and posts are
--   distinct statements, so that a statement that arrives late or twice changes nothing else.
-- Read by: relations
-- Freshness: at once, in the insert of the statement
-- Engine: AggregatingMergeTree
-- Source: events
-- Month of: emission_time
-- Order by: course_key, day, actor_id, kind
-- Columns:
--   course_key String: Key of the course.
--   day Date: Day, UTC.
--   actor_id String: Id of the learner in statements.
--   kind LowCardinality(String): "page", "video", "problem", "completion" or "other"; in the forum "posted", "viewed" or
--     "forum".
--   first_at SimpleAggregateFunction(min, DateTime64(6, 'UTC')): First moment.
--   last_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')): Last moment.
--   posts AggregateFunction(uniqExact, UUID): Distinct statements, in the forum.
SELECT
    course_key,
    toDate(emission_time, 'UTC') AS day,
    actor_id,
    multiIf(
        verb = 'navigated', 'page',
        object_type = 'discussion' AND verb IN ('posted', 'viewed'), CAST(verb AS String),
        object_type = 'discussion', 'forum',
        object_type = 'video', 'video',
        verb IN ('evaluated', 'attempted', 'asked'), 'problem',
        verb = 'progressed', 'completion',
        'other') AS kind,
    min(emission_time) AS first_at,
    max(emission_time) AS last_at,
    uniqExactStateIf(event_id, object_type = 'discussion') AS posts
FROM {source}
WHERE verb NOT IN ('registered', 'unregistered', 'earned', 'passed', 'failed')
GROUP BY course_key, day, actor_id, kind
