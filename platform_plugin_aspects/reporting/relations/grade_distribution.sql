-- One row: a tenth of the grades of a course, or of the scores in a graded subsection.
-- From: grades, enrollments and course_structure.
-- Key: the course, the subsection (empty for the grade of the course) and the tenth. Tenths without a learner are rows,
--   too, but for what has no grade at all.
-- Population: Learners with a grade who have not left the course.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   usage_key: Usage key of the subsection; empty for the grade of the course.
--   block_id: Last part of the usage key; empty for the grade of the course.
--   is_course: Whether it is about the grade of the course.
--   subsection_name: Name of the subsection; empty for the grade of the course.
--   tenth: The tenth, such as "70-79%", or "90-100%".
--   learners: Learners whose newest grade is in it. Null for 1 to 4 learners (rule smallest_group), unless boards show
--     names.
WITH
    leavers AS (SELECT course_key, actor_id FROM {enrollments} WHERE NOT is_enrolled),
    scores AS (
        SELECT
            grades.course_key AS course_key,
            grades.subsection_key AS subsection_key,
            -- Rounded before, because 0.7 * 10 is a little less than 7.
            toUInt8(least(9, floor(round(grades.score * 10, 6)))) AS number
        FROM {grades} AS grades
        LEFT ANTI JOIN leavers ON leavers.course_key = grades.course_key AND leavers.actor_id = grades.actor_id
    ),
    counted AS (
        SELECT course_key, subsection_key, number, count() AS found FROM scores GROUP BY course_key, subsection_key, number
    ),
    grid AS (
        SELECT course_key, subsection_key, toUInt8(arrayJoin(range(10))) AS number
        FROM (SELECT DISTINCT course_key, subsection_key FROM counted)
    ),
    subsections AS (
        SELECT course_key, usage_key, block_id, block_name
        FROM {course_structure}
        WHERE block_type = 'sequential' AND graded
    )
SELECT
    {org} AS org,
    grid.course_key AS course_key,
    grid.subsection_key AS usage_key,
    subsections.block_id AS block_id,
    grid.subsection_key = '' AS is_course,
    subsections.block_name AS subsection_name,
    concat(toString(grid.number * 10), '-', if(grid.number = 9, '100', toString(grid.number * 10 + 9)), '%') AS tenth,
    if(counted.found BETWEEN 1 AND {rule.smallest_shown} - 1, NULL, counted.found) AS learners
FROM grid
LEFT JOIN counted
    ON counted.course_key = grid.course_key AND counted.subsection_key = grid.subsection_key
        AND counted.number = grid.number
LEFT JOIN subsections ON subsections.course_key = grid.course_key AND subsections.usage_key = grid.subsection_key
WHERE grid.subsection_key = '' OR subsections.usage_key != ''
