-- One row: a unit of a course.
-- From: unit_visitors, answer_states, video_spans and course_structure.
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
--   place: These three numbers as a text, such as "1.2.3", as course_structure defines it.
--   subsection_place: The first two and the name of the subsection, such as "1.2 Waves"; sorts likewise.
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
    reached AS (
        SELECT
            course_key,
            unit_key,
            count() AS learners_reached,
            countIf(visitors.has_completed) AS learners_completed
        FROM {unit_visitors} AS visitors
        GROUP BY course_key, unit_key
    ),
    answered AS (
        SELECT
            course_key,
            problem_key,
            count() AS learners,
            countIf(states.right_first) AS right_first
        FROM {answer_states} AS states
        WHERE part = ''
        GROUP BY course_key, problem_key
    ),
    watched AS (
        SELECT
            course_key,
            video_key,
            countIf(spans.has_played) AS learners,
            countIf(spans.has_ended) AS to_end
        FROM {video_spans} AS spans
        GROUP BY course_key, video_key
    ),
    -- The structure is read once: what is known of problems and videos goes to their units with it.
    units AS (
        SELECT
            blocks.org AS org,
            blocks.course_key AS course_key,
            blocks.unit_key AS unit_key,
            anyIf(blocks.block_id, blocks.block_type = 'vertical') AS block_id,
            any(blocks.section) AS section,
            any(blocks.subsection) AS subsection,
            any(blocks.unit) AS unit,
            any(blocks.place) AS place,
            any(blocks.section_name) AS section_name,
            any(blocks.subsection_name) AS subsection_name,
            any(blocks.unit_name) AS unit_name,
            anyIf(blocks.course_order, blocks.block_type = 'vertical') AS course_order,
            countIf(blocks.block_type = 'problem') AS problems,
            sumIf(answered.learners, blocks.block_type = 'problem') AS answers,
            sumIf(answered.right_first, blocks.block_type = 'problem') AS right_answers,
            countIf(blocks.block_type = 'video') AS videos,
            sumIf(watched.learners, blocks.block_type = 'video') AS plays,
            sumIf(watched.to_end, blocks.block_type = 'video') AS plays_to_end
        FROM (SELECT * FROM {course_structure} WHERE unit > 0) AS blocks
        LEFT JOIN answered ON answered.course_key = blocks.course_key AND answered.problem_key = blocks.usage_key
        LEFT JOIN watched ON watched.course_key = blocks.course_key AND watched.video_key = blocks.usage_key
        GROUP BY org, course_key, unit_key
        HAVING countIf(blocks.block_type = 'vertical') > 0
    )
SELECT
    units.org AS org,
    units.course_key AS course_key,
    units.unit_key AS usage_key,
    units.block_id AS block_id,
    units.section AS section,
    units.subsection AS subsection,
    units.unit AS unit,
    units.place AS place,
    concat(extract(units.place, '^([0-9]+[.][0-9]+)'), ' ', units.subsection_name) AS subsection_place,
    units.section_name AS section_name,
    units.subsection_name AS subsection_name,
    units.unit_name AS unit_name,
    units.course_order AS course_order,
    reached.learners_reached AS learners_reached,
    reached.learners_completed AS learners_completed,
    units.problems AS problems,
    if(units.answers = 0, NULL, round(units.right_answers / units.answers, 4)) AS right_first_share,
    units.videos AS videos,
    if(units.plays = 0, NULL, round(units.plays_to_end / units.plays, 4)) AS to_end_share
FROM units
LEFT JOIN reached ON reached.course_key = units.course_key AND reached.unit_key = units.unit_key
