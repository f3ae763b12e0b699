-- One row: a learner reached a unit: went to it, or did something with a block in it.
-- From: marks, completions, answers and videos, and course_structure.
-- Key: the course, the unit and the learner.
-- Read by: relations
-- Freshness: at once
-- Columns:
--   course_key: Key of the course.
--   unit_key: Usage key of the unit.
--   actor_id: Id of the learner in statements.
--   has_completed: Whether the learner completed each block of the unit that learners can complete; not without any.
WITH
    reached AS (
        SELECT course_key, thing AS place, toUInt32(page) AS unit, actor_id, false AS completed
        FROM {marks}
        WHERE kind = 'page'
        UNION ALL
        SELECT course_key, usage_key, 0, actor_id, progress >= 100 FROM {completions}
        UNION ALL
        SELECT course_key, problem_key, 0, actor_id, false FROM {answers} WHERE part = ''
        UNION ALL
        SELECT course_key, video_key, 0, actor_id, false FROM {videos}
    ),
    places AS (
        SELECT
            course_key,
            if(block_type = 'vertical', subsection_key, usage_key) AS place,
            if(block_type = 'vertical', structure.unit, 0) AS unit,
            unit_key,
            completable AND block_type != 'vertical' AS counts,
            countIf(counts) OVER (PARTITION BY course_key, unit_key) AS to_complete
        FROM {course_structure} AS structure
        WHERE structure.unit > 0
    )
SELECT
    reached.course_key AS course_key,
    places.unit_key AS unit_key,
    reached.actor_id AS actor_id,
    any(places.to_complete) > 0
        AND countIf(reached.completed AND places.counts) = any(places.to_complete) AS has_completed
FROM reached
INNER JOIN places
    ON places.course_key = reached.course_key AND places.place = reached.place AND places.unit = reached.unit
GROUP BY course_key, unit_key, actor_id
