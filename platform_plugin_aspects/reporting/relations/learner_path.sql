-- One row: a learner reached a unit of a course: went to it, or did something with a block in it.
-- From: marks, answers, videos, course_structure and learner_names.
-- Key: the course, the learner and the unit. Units that the learner did not reach are not rows.
-- Population: Everybody with a visit whom the platform's external ids and profiles have.
-- Read by: boards
-- Freshness: at once; names with the next read after the profile was delivered
-- Personal data: username and name. The view exists only while the sinks external_id and user_profile are on.
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   actor_id: Id of the learner in statements.
--   username: Username.
--   name: Full name.
--   usage_key: Usage key of the unit.
--   block_id: Last part of the usage key.
--   place: Numbers of section, subsection and unit, such as "1.2.3", as course_structure defines it.
--   section_name: Name of the section.
--   subsection_name: Name of the subsection.
--   unit_name: Name of the unit.
--   course_order: Place in the course.
--   first_visit: Moment at which the learner first went to the unit, completed a block or answered a problem in it; null
--     if the learner only used a video.
--   last_visit: Moment at which the learner last did so, or used a video in it.
--   completed_share: Share of the blocks in it that learners can complete that the learner completed, from 0 to 1; null
--     without any.
--   problems: Problems in it that the learner answered.
--   right_first: Problems in it whose first answer was right.
--   videos: Videos in it whose player the learner used.
WITH
    done AS (
        SELECT
            course_key, actor_id, thing AS place, toUInt32(page) AS unit, toNullable(first_at) AS since,
            last_at AS until, false AS completed, 0 AS problem, 0 AS was_right, 0 AS video
        FROM {marks}
        WHERE kind = 'page'
        UNION ALL
        SELECT
            course_key, actor_id, thing, 0, toNullable(min(marks.first_at)), max(marks.last_at),
            argMaxMerge(marks.value) >= 100, 0, 0, 0
        FROM {marks} AS marks
        WHERE kind = 'completion'
        GROUP BY course_key, actor_id, thing
        UNION ALL
        SELECT
            course_key, actor_id, problem_key, 0, toNullable(min(answers.first_at)), max(answers.last_at), false, 1,
            toUInt8(startsWith(argMinMerge(answers.first), '1')), 0
        FROM {answers} AS answers
        WHERE part = ''
        GROUP BY course_key, actor_id, problem_key
        UNION ALL
        SELECT course_key, actor_id, video_key, 0, NULL, max(videos.last_at), false, 0, 0, 1
        FROM {videos} AS videos
        GROUP BY course_key, actor_id, video_key
    ),
    blocks AS (
        SELECT
            course_key,
            if(block_type = 'vertical', subsection_key, usage_key) AS place,
            if(block_type = 'vertical', structure.unit, 0) AS unit,
            unit_key,
            completable AND block_type != 'vertical' AS counts,
            countIf(counts) OVER (PARTITION BY course_key, unit_key) AS to_complete
        FROM {course_structure} AS structure
        WHERE structure.unit > 0
    ),
    reached AS (
        SELECT
            done.course_key AS course_key,
            done.actor_id AS actor_id,
            -- Part of the key, so that a board's filter by username is applied before the rows are grouped.
            names.username AS username,
            any(names.name) AS name,
            blocks.unit_key AS unit_key,
            min(done.since) AS first_visit,
            max(done.until) AS last_visit,
            any(blocks.to_complete) AS to_complete,
            countIf(done.completed AND blocks.counts) AS completed,
            sum(done.problem) AS problems,
            sum(done.was_right) AS right_first,
            sum(done.video) AS videos
        FROM done
        INNER JOIN {learner_names} AS names ON names.course_key = done.course_key AND names.actor_id = done.actor_id
        INNER JOIN blocks
            ON blocks.course_key = done.course_key AND blocks.place = done.place AND blocks.unit = done.unit
        GROUP BY course_key, actor_id, username, unit_key
    )
SELECT
    units.org AS org,
    reached.course_key AS course_key,
    reached.actor_id AS actor_id,
    reached.username AS username,
    reached.name AS name,
    reached.unit_key AS usage_key,
    units.block_id AS block_id,
    units.place AS place,
    units.section_name AS section_name,
    units.subsection_name AS subsection_name,
    units.unit_name AS unit_name,
    units.course_order AS course_order,
    reached.first_visit AS first_visit,
    reached.last_visit AS last_visit,
    if(reached.to_complete = 0, NULL, round(reached.completed / reached.to_complete, 4)) AS completed_share,
    reached.problems AS problems,
    reached.right_first AS right_first,
    reached.videos AS videos
FROM reached
INNER JOIN (SELECT * FROM {course_structure} WHERE block_type = 'vertical') AS units
    ON units.course_key = reached.course_key AND units.usage_key = reached.unit_key
