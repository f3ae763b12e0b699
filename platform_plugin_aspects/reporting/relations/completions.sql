-- One row: how far a learner has completed a block.
-- From: marks.
-- Key: the course, the block and the learner.
-- Read by: relations
-- Freshness: at once
-- Columns:
--   course_key: Key of the course.
--   usage_key: Usage key of the block.
--   actor_id: Id of the learner in statements.
--   progress: Newest completion, from 0 to 100.
--   last_at: Last moment.
SELECT
    course_key,
    thing AS usage_key,
    actor_id,
    argMaxMerge(marks.value) AS progress,
    max(marks.last_at) AS last_at
FROM {marks} AS marks
WHERE kind = 'completion'
GROUP BY course_key, usage_key, actor_id
