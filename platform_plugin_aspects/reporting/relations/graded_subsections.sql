-- One row: a graded subsection of a course.
-- From: grades of subsections, and course_structure.
-- Key: the course and the subsection. Subsections without a grade are rows, too.
-- Population: Learners with a grade in the subsection, whether still enrolled or not.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   usage_key: Usage key of the subsection.
--   block_id: Last part of the usage key.
--   section_name: Name of its section.
--   subsection_name: Name of the subsection.
--   course_order: Place in the course.
--   learners: Learners with a grade in it.
--   mean_score: Average of their newest scores, from 0 to 1. This number and those that follow are null for few
--     learners (rule smallest_group), unless boards show names.
--   median_score: Median of their newest scores, from 0 to 1; null without learners, like the average.
--   full_score: Learners with all points.
WITH
    newest AS (
        SELECT course_key, subsection_key, actor_id, score FROM {grades} WHERE subsection_key != ''
    ),
    scores AS (
        SELECT
            course_key,
            subsection_key,
            count() AS learners,
            avg(score) AS mean_score,
            quantileExactInclusive(0.5)(score) AS median_score,
            countIf(score >= 1) AS full_score
        FROM newest
        GROUP BY course_key, subsection_key
    )
SELECT
    blocks.org AS org,
    blocks.course_key AS course_key,
    blocks.usage_key AS usage_key,
    blocks.block_id AS block_id,
    blocks.section_name AS section_name,
    blocks.block_name AS subsection_name,
    blocks.course_order AS course_order,
    scores.learners AS learners,
    if(learners < {rule.smallest_shown}, NULL, round(scores.mean_score, 4)) AS mean_score,
    if(learners < {rule.smallest_shown}, NULL, round(scores.median_score, 4)) AS median_score,
    if(learners > 0 AND learners < {rule.smallest_shown}, NULL, scores.full_score) AS full_score
FROM (SELECT * FROM {course_structure} WHERE block_type = 'sequential' AND graded) AS blocks
LEFT JOIN scores ON scores.course_key = blocks.course_key AND scores.subsection_key = blocks.usage_key
