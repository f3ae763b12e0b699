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
WITH
    -- By how much the numbers of views and learners change at a second.
    changes AS (
        SELECT
            course_key,
            video_key,
            change.1 AS start,
            sum(change.2) AS more_views,
            sum(change.3) AS more_learners
        FROM {video_spans}
        ARRAY JOIN arrayConcat(
            arrayMap(start -> (start, 1, 0), starts),
            arrayMap(end -> (end, -1, 0), ends),
            arrayMap(start -> (start, 0, 1), first_starts),
            arrayMap(end -> (end, 0, -1), first_ends)) AS change
        GROUP BY course_key, video_key, start
    ),
    levels AS (
        SELECT
            course_key,
            video_key,
            start,
            leadInFrame(start) OVER following AS end,
            sum(more_views) OVER until_here AS views,
            sum(more_learners) OVER until_here AS learners
        FROM changes
        WINDOW
            until_here AS (
                PARTITION BY course_key, video_key ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
            following AS (
                PARTITION BY course_key, video_key ORDER BY start ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
    ),
    played AS (
        SELECT course_key, video_key, second, learners, views
        FROM (SELECT * FROM levels WHERE views > 0)
        ARRAY JOIN range(start, end) AS second
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
