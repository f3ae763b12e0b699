-- One row: a video of a course.
-- From: video_spans, and course_structure for its name and place.
-- Key: the course and the video. Videos that nobody watched are rows, too.
-- Population: Everybody who played the video, whether still enrolled or not.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   usage_key: Usage key of the video.
--   block_id: Last part of the usage key.
--   video_name: Name of the video.
--   section_name: Name of its section.
--   subsection_name: Name of its subsection.
--   unit_name: Name of its unit.
--   course_order: Place in the course.
--   length: Length in seconds; 0 while nobody has loaded it.
--   learners: Learners who played it.
--   learners_to_end: Learners who played its last second.
--   seconds_watched: Different seconds played, summed over learners.
--   seconds_played: Seconds played, repetitions included, summed over learners.
--   watched_share: Share of the video that a learner who played it saw, on average, from 0 to 1.
--   rewatched_share: Share of the played seconds that were repetitions, from 0 to 1.
WITH watched AS (
    SELECT
        course_key,
        video_key,
        max(spans.length) AS length,
        countIf(spans.has_played) AS learners,
        countIf(spans.has_ended) AS learners_to_end,
        sum(arraySum(first_ends) - arraySum(first_starts)) AS seconds_watched,
        sum(arraySum(ends) - arraySum(starts)) AS seconds_played
    FROM {video_spans} AS spans
    GROUP BY course_key, video_key
)
SELECT
    blocks.org AS org,
    blocks.course_key AS course_key,
    blocks.usage_key AS usage_key,
    blocks.block_id AS block_id,
    blocks.block_name AS video_name,
    blocks.section_name AS section_name,
    blocks.subsection_name AS subsection_name,
    blocks.unit_name AS unit_name,
    blocks.course_order AS course_order,
    watched.length AS length,
    watched.learners AS learners,
    watched.learners_to_end AS learners_to_end,
    watched.seconds_watched AS seconds_watched,
    watched.seconds_played AS seconds_played,
    round(if(learners > 0 AND length > 0, least(1, seconds_watched / learners / ceil(length)), 0), 4) AS watched_share,
    round(if(seconds_played > 0, 1 - seconds_watched / seconds_played, 0), 4) AS rewatched_share
FROM (SELECT * FROM {course_structure} WHERE block_type = 'video') AS blocks
LEFT JOIN watched ON watched.course_key = blocks.course_key AND watched.video_key = blocks.usage_key
