-- One row: a second of a video that somebody played.
-- From: video_spans, and course_structure for its name.
-- Key: the course, the video and the second.
-- Population: Everybody who played the video, whether still enrolled or not.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   org: Organization.
--   course_key: Key of the course.
--   usage_key: Usage key of the video.
--   block_id: Last part of the usage key.
--   video_name: Name of the video.
--   second: Second of the video, from 0.
--   learners: Learners who played it.
--   views: How often it was played, by all learners together.
--   rewatches: How often it was played again by a learner who had played it.
WITH played AS (
    SELECT
        course_key,
        video_key,
        second,
        uniqExact(actor_id) AS learners,
        count() AS views
    FROM {video_spans}
    ARRAY JOIN seconds AS second
    GROUP BY course_key, video_key, second
)
SELECT
    blocks.org AS org,
    played.course_key AS course_key,
    played.video_key AS usage_key,
    blocks.block_id AS block_id,
    blocks.block_name AS video_name,
    played.second AS second,
    played.learners AS learners,
    played.views AS views,
    played.views - played.learners AS rewatches
FROM played
INNER JOIN {course_structure} AS blocks ON blocks.course_key = played.course_key AND blocks.usage_key = played.video_key
