-- One row: a unit of a course.
-- From: unit_visitors, problem_performance, video_watch and course_structure.
-- Key: the course and the unit. Units that nobody reached are rows, too.
-- Population: Units of the course as it was last published. Learners: everybody with a statement about a visit,
--   whether still enrolled or not.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   usage_key: Usage key of the unit.
--   block_id: Last part of the usage key.
--   section: Number of the section, from 1.
--   subsection: Number of the subsection in its section, from 1.
--   unit: Number of the unit in its subsection, from 1.
--   section_name: Name of the section.
--   subsection_name: Name of the subsection.
--   unit_name: Name of the unit.
--   course_order: Place in the course.
--   learners_reached: Learners who went to the unit, or did something in it.
--   learners_completed: Learners who completed each block of the unit that learners can complete.
--   problems: Problems in it.
--   right_first_share: Share of the first answers to its problems that were right, from 0 to 1; null without any.
--   videos: Videos in it.
--   to_end_share: Share of the plays of its videos, one per learner and video, that reached the last second, from 0 to
--     1; null without any.
WITH
    contents AS (
        SELECT
            course_key,
            unit_key,
            countIf(completable AND block_type != 'vertical') AS to_complete,
            countIf(block_type = 'problem') AS problems,
            countIf(block_type = 'video') AS videos
        FROM {course_structure}
        WHERE unit > 0
        GROUP BY course_key, unit_key
    ),
    reached AS (
        SELECT
            visitors.course_key AS course_key,
            visitors.unit_key AS unit_key,
            count() AS learners_reached,
            countIf(contents.to_complete > 0 AND visitors.completed = contents.to_complete) AS learners_completed
        FROM {unit_visitors} AS visitors
        INNER JOIN contents ON contents.course_key = visitors.course_key AND contents.unit_key = visitors.unit_key
        GROUP BY course_key, unit_key
    ),
    solved AS (
        SELECT
            problems.course_key AS course_key,
            blocks.unit_key AS unit_key,
            sum(problems.learners) AS answered,
            sum(problems.right_first) AS solved_first
        FROM {problem_performance} AS problems
        INNER JOIN (SELECT course_key, usage_key, unit_key FROM {course_structure}) AS blocks
            ON blocks.course_key = problems.course_key AND blocks.usage_key = problems.usage_key
        GROUP BY course_key, unit_key
    ),
    watched AS (
        SELECT
            videos.course_key AS course_key,
            blocks.unit_key AS unit_key,
            sum(videos.learners) AS played,
            sum(videos.learners_to_end) AS to_end
        FROM {video_watch} AS videos
        INNER JOIN (SELECT course_key, usage_key, unit_key FROM {course_structure}) AS blocks
            ON blocks.course_key = videos.course_key AND blocks.usage_key = videos.usage_key
        GROUP BY course_key, unit_key
    )
SELECT
    units.org AS org,
    units.course_key AS course_key,
    units.usage_key AS usage_key,
    units.block_id AS block_id,
    units.section AS section,
    units.subsection AS subsection,
    units.unit AS unit,
    units.section_name AS section_name,
    units.subsection_name AS subsection_name,
    units.unit_name AS unit_name,
    units.course_order AS course_order,
    reached.learners_reached AS learners_reached,
    reached.learners_completed AS learners_completed,
    contents.problems AS problems,
    if(solved.answered = 0, NULL, round(solved.solved_first / solved.answered, 4)) AS right_first_share,
    contents.videos AS videos,
    if(watched.played = 0, NULL, round(watched.to_end / watched.played, 4)) AS to_end_share
FROM (SELECT * FROM {course_structure} WHERE block_type = 'vertical') AS units
LEFT JOIN contents ON contents.course_key = units.course_key AND contents.unit_key = units.usage_key
LEFT JOIN reached ON reached.course_key = units.course_key AND reached.unit_key = units.usage_key
LEFT JOIN solved ON solved.course_key = units.course_key AND solved.unit_key = units.usage_key
LEFT JOIN watched ON watched.course_key = units.course_key AND watched.unit_key = units.usage_key
